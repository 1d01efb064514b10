select coalesce(q.spent, 0)
from unnest($1::integer[], $2::bytea[]) with ordinality as s (day, subject, n)
left join limits.quotas q on q.day = s.day
                         and q.subject = s.subject
order by s.n
