-- The newest archived or read items of an inbox, newest first. A mark exists only
-- for what the user had received, so that the marks are enough to walk along.
-- $1 the user, $2 only below this position, $3 how many, $4 the time of the answer,
-- $5 only this severity or null, $6 archived ones (true), or read and not archived
-- ones (false), $7 only items addressed to this topic, or ''
with reader as (
    select user_id from users where name = $1
), page as (
    select m.position
    from marks m
    cross join lateral (
        select
        from notifications n
        where n.position = m.position
          and n.retracted_position is null
          and (n.expires_at is null or n.expires_at > $4)
          and ($5::smallint is null or n.severity = $5)
          and ($7::text = '' or 'topic:' || $7 = any (n.targets))
        offset 0
    ) visible
    where m.user_id = (select user_id from reader)
      and m.position < $2
      and m.deleted_at is null
      and (m.archived_at is not null) = $6
      and (m.archived_at is not null or m.read_at is not null)
    order by m.position desc
    limit $3
)
select c.position,
       n.position, n.id, n.targets, n.severity, n.title, n.body, n.data, n.sender, n.link,
       n.published_at, n.expires_at, m.seen_at, m.read_at, m.archived_at
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join page on true
left join notifications n on n.position = page.position
left join lateral (
    select m.seen_at, m.read_at, m.archived_at, m.deleted_at
    from marks m
    where m.user_id = (select user_id from reader)
      and m.position = page.position
    offset 0
) m on true
order by page.position desc;
