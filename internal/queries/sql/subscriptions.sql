-- What a user is subscribed to, by topic.
-- $1 the user, $2 only topics after this one, $3 how many
select c.position, s.name, s.since_position, s.min_severity, s.filter, s.muted
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join (
    select t.name, p.since_position, p.min_severity, a.filter, p.muted
    from users u
    join periods p on p.user_id = u.user_id and p.until_position = 9223372036854775807
    cross join lateral (select t.name from topics t where t.topic_id = p.topic_id offset 0) t
    cross join lateral (select a.filter from audiences a where a.audience_id = p.audience_id offset 0) a
    where u.name = $1
      and t.name > $2
    order by t.name
    limit $3
) s on true
order by s.name;
