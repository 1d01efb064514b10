insert into clock (position, at, events)
select unnest($1::bigint[]), unnest($2::timestamptz[]), unnest($3::bigint[])
