-- Notifications with several targets: whoever is reached twice has it once.
insert into inbox (user_id, position, ends)
select p.user_id, t.position, t.ends
from unnest($1::bigint[], $2::bigint[], $3::smallint[], $4::boolean[]) as t (audience_id, position, severity, ends)
join periods p on p.audience_id = t.audience_id
              and p.until_position > t.position
              and p.from_position < t.position
              and p.floor <= t.severity
union
select user_id, position, ends
from unnest($5::bigint[], $6::bigint[], $7::boolean[]) as u (user_id, position, ends)
