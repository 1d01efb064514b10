-- The newest items of an inbox, archived ones left out, newest first.
-- $1 the user, $2 only below this position, $3 how many, $4 the time of the answer,
-- $5 only this severity or null, $6 only unread ones
--
-- Walks downwards that stop at the limit: along what was stored for the user, and
-- along what was published to each of their topics while they were subscribed. Who
-- has put nearly everything away makes the first walk long, so that after a few
-- steps it goes on with all of their marks at hand ("far").
-- "offset 0" keeps the planner to one probe per step: it knows nothing of how much
-- one user has, and every other plan it might choose reads all of that.
with reader as (
    select user_id from users where name = $1
), newest as (
    select i.user_id, i.position
    from inbox i
    where i.user_id = (select user_id from reader)
      and i.position < $2
    order by i.position desc
    limit 2 * $3
), near as materialized (
    select i.position
    from newest i
    left join lateral (
        select m.seen_at, m.read_at, m.archived_at, m.deleted_at
        from marks m
        where m.user_id = i.user_id
          and m.position = i.position
        offset 0
    ) m on true
    cross join lateral (
        select
        from notifications n
        where n.position = i.position
          and n.retracted_position is null
          and (n.expires_at is null or n.expires_at > $4)
          and m.deleted_at is null
          and m.archived_at is null
          and ($5::smallint is null or n.severity = $5)
          and (m.read_at is null or not $6)
        offset 0
    ) visible
), far as (
    select i.position
    from inbox i
    cross join lateral (
        select
        from notifications n
        where n.position = i.position
          and n.retracted_position is null
          and (n.expires_at is null or n.expires_at > $4)
          and ($5::smallint is null or n.severity = $5)
        offset 0
    ) visible
    where (select count(*) from near) < $3
      and i.user_id = (select user_id from reader)
      and i.position < (select min(position) from newest)
      and i.position not in (
          select m.position
          from marks m
          where m.user_id = (select user_id from reader)
            and m.position < $2
            and (m.deleted_at is not null or m.archived_at is not null or m.read_at is not null and $6)
      )
    order by i.position desc
    limit $3
), page as (
    select position from near
    union
    select position from far
    union
    (
        select joined.position
        from periods p
        cross join lateral (
            select t.position
            from topic_targets t
            left join lateral (
                select m.seen_at, m.read_at, m.archived_at, m.deleted_at
                from marks m
                where m.user_id = p.user_id
                  and m.position = t.position
                offset 0
            ) m on true
            cross join lateral (
                select
                from notifications n
                where n.position = t.position
                  and n.retracted_position is null
                  and (n.expires_at is null or n.expires_at > $4)
                  and n.severity >= p.min_severity
                  and m.deleted_at is null
                  and m.archived_at is null
                  and ($5::smallint is null or n.severity = $5)
                  and (m.read_at is null or not $6)
                offset 0
            ) visible
            where t.topic_id = p.topic_id
              and not t.stored
              and t.position > p.from_position
              and t.position < p.until_position
              and t.position < $2
            order by t.position desc
            limit $3
        ) joined
        where p.user_id = (select user_id from reader)
    )
    order by position desc
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
