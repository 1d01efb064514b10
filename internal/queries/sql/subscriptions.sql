-- What a user is subscribed to, by topic.
-- $1 the user, $2 only topics after this one, $3 how many
select c.position, s.name, s.since_position, s.min_severity
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join (
    select t.name, p.since_position, p.min_severity
    from users u
    join periods p on p.user_id = u.user_id and p.until_position = 9223372036854775807
    join topics t on t.topic_id = p.topic_id
    where u.name = $1
      and t.name > $2
    order by t.name
    limit $3
) s on true
order by s.name;
