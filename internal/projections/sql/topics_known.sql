select name, topic_id, subscribers
from topics
where name = any ($1::text[])
