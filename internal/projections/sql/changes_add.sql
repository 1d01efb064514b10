-- Ids come joined by commas: an array of arrays would lose its rows.
insert into changes (user_id, position, at, change, ids, through)
select user_id, position, at, change, string_to_array(ids, ',')::uuid[], through
from unnest($1::bigint[], $2::bigint[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[])
    as c (user_id, position, at, change, ids, through)
