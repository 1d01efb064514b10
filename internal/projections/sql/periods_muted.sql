-- The open periods of the given users whose topics they have muted.
select t.name, u.name, p.from_position, p.since_position, p.min_severity, p.muted,
       a.audience_id, a.filter, a.subscribers, t.topic_id, t.subscribers
from unnest($1::text[]) as o (username)
join users u on u.name = o.username
join periods p on p.user_id = u.user_id
              and p.until_position = 9223372036854775807
              and p.muted
join topics t on t.topic_id = p.topic_id
join audiences a on a.audience_id = p.audience_id
