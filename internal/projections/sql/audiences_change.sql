update audiences a
set subscribers = c.subscribers
from unnest($1::bigint[], $2::bigint[]) as c (audience_id, subscribers)
where a.audience_id = c.audience_id
