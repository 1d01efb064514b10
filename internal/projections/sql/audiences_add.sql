insert into audiences (audience_id, topic_id, filter, digest, subscribers)
select unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::text[]), unnest($4::bytea[]), unnest($5::bigint[])
