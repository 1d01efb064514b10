-- The items at the positions of "page", as they are now.
select c.position,
       n.position, n.id, n.targets, n.severity, n.title, n.body, n.data, n.sender, n.link,
       n.published_at, n.expires_at, m.seen_at, m.read_at, m.archived_at
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join page on true
left join notifications n on n.position = page.position
left join lateral (
    select m.seen_at, m.read_at, m.archived_at
    from marks m
    where m.user_id = (select user_id from reader)
      and m.position = page.position
    offset 0
) m on true
