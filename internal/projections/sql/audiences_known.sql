-- The audiences of the given topics and digests of filters.
select t.name, a.audience_id, a.filter, a.subscribers
from unnest($1::text[], $2::bytea[]) as o (topic, digest)
join topics t on t.name = o.topic
join audiences a on a.topic_id = t.topic_id
                and a.digest = o.digest
