update periods p
set until_position = c.until_position
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[])
    as c (topic_id, user_id, from_position, until_position)
where p.topic_id = c.topic_id
  and p.user_id = c.user_id
  and p.from_position = c.from_position
