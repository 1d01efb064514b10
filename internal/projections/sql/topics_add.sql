insert into topics (name)
select unnest($1::text[])
returning name, topic_id
