-- The open periods of the given pairs.
select t.name, u.name, p.from_position, p.since_position, p.min_severity, p.muted,
       a.audience_id, a.filter, a.subscribers, t.topic_id, t.subscribers
from unnest($1::text[], $2::text[]) as o (topic, username)
join topics t on t.name = o.topic
join users u on u.name = o.username
join periods p on p.topic_id = t.topic_id
              and p.user_id = u.user_id
              and p.until_position = 9223372036854775807
join audiences a on a.audience_id = p.audience_id
