-- All periods of a user, closed ones included.
-- $1 the user
select 0::bigint, t.name, p.from_position,
       case when p.until_position = 9223372036854775807 then 0 else p.until_position end,
       p.since_position, p.min_severity
from users u
join periods p on p.user_id = u.user_id
join topics t on t.topic_id = p.topic_id
where u.name = $1
order by p.from_position, t.name;
