insert into periods (
    topic_id, user_id, from_position, until_position, since_position, audience_id, min_severity, muted
)
select topic_id, user_id, from_position, until_position, since_position, audience_id, min_severity, muted
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::smallint[], $8::boolean[])
    as p (topic_id, user_id, from_position, until_position, since_position, audience_id, min_severity, muted)
