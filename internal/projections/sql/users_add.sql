insert into users (user_id, name)
select unnest($1::bigint[]), unnest($2::text[])
