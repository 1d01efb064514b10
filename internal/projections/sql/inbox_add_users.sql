-- Notifications that reach nobody but the users they name.
insert into inbox (user_id, position, ends)
select unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::boolean[])
