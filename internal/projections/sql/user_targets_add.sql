insert into user_targets (position, user_id)
select unnest($1::bigint[]), unnest($2::bigint[])
