insert into periods (topic_id, user_id, from_position, until_position, since_position, min_severity)
select topic_id, user_id, from_position, until_position, since_position, min_severity
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::smallint[])
    as p (topic_id, user_id, from_position, until_position, since_position, min_severity)
