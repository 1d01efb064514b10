-- Notifications at these positions, newest first.
-- $1 the positions
select 0::bigint,
       n.position, n.id, n.targets, n.severity, n.title, n.body, n.data, n.sender, n.link,
       n.published_at, n.expires_at, null::timestamptz, null::timestamptz, null::timestamptz
from unnest($1::bigint[]) page (position)
cross join lateral (select n.* from notifications n where n.position = page.position offset 0) n
order by n.position desc;
