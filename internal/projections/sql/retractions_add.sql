insert into retractions (position, notification_position)
select unnest($1::bigint[]), unnest($2::bigint[])
