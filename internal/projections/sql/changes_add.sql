-- Ids come joined by commas: an array of arrays would lose its rows.
insert into changes (user_id, position, change, ids, through)
select user_id, position, change, string_to_array(ids, ',')::uuid[], through
from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[])
    as c (user_id, position, change, ids, through)
