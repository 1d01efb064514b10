insert into parity_differences (version, username, line, kind, position, notification_id, topic, difference)
select $1, username, line, kind, position, notification_id, nullif(topic, ''), difference
from unnest($2::text[], $3::integer[], $4::text[], $5::bigint[], $6::uuid[], $7::text[], $8::text[])
    as d (username, line, kind, position, notification_id, topic, difference)
