update topics t
set subscribers = c.subscribers,
    description = coalesce(c.description, t.description)
from unnest($1::bigint[], $2::bigint[], $3::text[]) as c (topic_id, subscribers, description)
where t.topic_id = c.topic_id
