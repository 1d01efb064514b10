insert into audience_targets (audience_id, position, stored)
select unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::boolean[])
