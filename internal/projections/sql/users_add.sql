insert into users (name)
select unnest($1::text[])
returning name, user_id
