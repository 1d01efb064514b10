insert into topics (topic_id, name, subscribers, description)
select topic_id, name, subscribers, coalesce(description, '')
from unnest($1::bigint[], $2::text[], $3::bigint[], $4::text[]) as t (topic_id, name, subscribers, description)
