-- The audiences of the given topics whose filters a publish must ask.
select t.name, a.audience_id, a.filter, a.subscribers
from unnest($1::text[]) as o (topic)
join topics t on t.name = o.topic
join audiences a on a.topic_id = t.topic_id
                and a.live
                and a.digest <> ''
