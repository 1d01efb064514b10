-- Those of the given pairs in which the user has muted the topic.
select o.topic, o.username
from unnest($1::text[], $2::text[]) as o (topic, username)
join users u on u.name = o.username
join preferences p on p.user_id = u.user_id
where o.topic = any (p.muted_topics)
