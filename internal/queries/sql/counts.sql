-- How many items are in an inbox, archived ones left out, and how many of them are
-- unread and unseen.
-- $1 the user, $2 the time of the answer
--
-- A mark exists only for what the user had received. So what was received and what
-- is marked are counted apart, and only what is gone for everybody (retracted or
-- expired) must be looked up item by item.
with reader as (
    select user_id from users where name = $1
), joined as materialized (
    select distinct t.position
    from periods p
    cross join lateral (
        select t.position
        from topic_targets t
        where t.topic_id = p.topic_id
          and not t.stored
          and t.position > p.from_position
          and t.position < p.until_position
        offset 0
    ) t
    where p.user_id = (select user_id from reader)
      and (
        p.min_severity = 0
        or p.min_severity <= (select n.severity from notifications n where n.position = t.position)
      )
      and not exists (
        select
        from inbox i
        where i.user_id = p.user_id
          and i.position = t.position
        offset 0
      )
), received as (
    select i.position
    from inbox i
    where i.user_id = (select user_id from reader)
    union all
    select position
    from joined
), gone as (
    select count(*) filter (where kept) as total,
           count(*) filter (where kept and m.read_at is not null) as read,
           count(*) filter (where kept and m.seen_at is not null) as seen
    from received r
    cross join lateral (
        select
        from notifications n
        where n.position = r.position
          and (n.retracted_position is not null or n.expires_at is not null)
          and (n.retracted_position is not null or n.expires_at <= $2)
        offset 0
    ) n
    left join lateral (
        select m.read_at, m.seen_at, m.archived_at, m.deleted_at
        from marks m
        where m.user_id = (select user_id from reader)
          and m.position = r.position
        offset 0
    ) m on true
    cross join lateral (select m.archived_at is null and m.deleted_at is null as kept) k
), marked as (
    select count(*) filter (where not kept) as away,
           count(*) filter (where kept and m.read_at is not null) as read,
           count(*) filter (where kept and m.seen_at is not null) as seen
    from marks m
    cross join lateral (select m.archived_at is null and m.deleted_at is null as kept) k
    where m.user_id = (select user_id from reader)
), counted as (
    select (select count(*) from received) - marked.away - gone.total as total,
           marked.read - gone.read as read,
           marked.seen - gone.seen as seen
    from marked
    cross join gone
)
select c.position, counted.total, counted.total - counted.read, counted.total - counted.seen
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
cross join counted;
