-- In one order, so that instances wait for each other in a row and not in a circle.
insert into limits.quotas as q (day, subject, spent)
select s.day, s.subject, s.n
from unnest($1::integer[], $2::bytea[], $3::bigint[]) as s (day, subject, n)
where s.n > 0
order by s.day, s.subject
on conflict (day, subject) do update
set spent = q.spent + excluded.spent
