-- The last ids that were given out, and where the clock stands.
select coalesce((select max(user_id) from users), 0),
       coalesce((select max(topic_id) from topics), 0),
       coalesce((select max(audience_id) from audiences), 0),
       p.latest_at, p.events,
       coalesce(c.position, 0), c.at, coalesce(c.events, 0)
from projections p
left join lateral (select position, at, events from clock order by position desc limit 1) c on true
where p.name = $1
