insert into audience_targets (audience_id, position, severity, stored)
select unnest($1::bigint[]), unnest($2::bigint[]), unnest($3::smallint[]), unnest($4::boolean[])
