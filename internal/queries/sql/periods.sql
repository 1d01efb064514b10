-- All periods of a user, closed ones included.
-- $1 the user
select 0::bigint, t.name, p.from_position,
       case when p.until_position = 9223372036854775807 then 0 else p.until_position end,
       p.since_position, p.min_severity, a.filter, p.muted
from users u
join periods p on p.user_id = u.user_id
cross join lateral (select t.name from topics t where t.topic_id = p.topic_id offset 0) t
cross join lateral (select a.filter from audiences a where a.audience_id = p.audience_id offset 0) a
where u.name = $1
order by p.from_position, t.name;
