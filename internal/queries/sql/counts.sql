-- How many items are in an inbox, archived ones left out, and how many of them are
-- unread and unseen.
-- $1 the user, $2 the time of the answer, $3 "for ever"
--
-- A mark exists only for what the user had received, and tallies say how many there
-- are. So what was received is counted in the index, and only what may be gone for
-- everybody (retracted or expired) is looked up item by item, as are marks at or
-- below what retention hides.
with
/* kept */
, joined as materialized (
    select distinct t.position
    from periods p
    cross join lateral (
        select t.position
        from audience_targets t
        where t.audience_id = p.audience_id
          and not t.stored
          and t.position > greatest(p.from_position, (select above from kept))
          and t.position < p.until_position
          and t.severity >= p.floor
        offset 0
    ) t
    where p.user_id = (select user_id from reader)
      and not p.muted
      and not exists (
        select
        from inbox i
        where i.user_id = p.user_id
          and i.position = t.position
        offset 0
      )
), ending as (
    select i.position
    from inbox i
    where i.user_id = (select user_id from reader)
      and i.position > (select above from kept)
      and i.ends
    union all
    select position
    from joined
), gone as (
    select count(*) filter (where not away) as total,
           count(*) filter (where not away and m.read_at is not null) as read,
           count(*) filter (where not away and m.seen_at is not null) as seen
    from ending e
    cross join lateral (
        select
        from notifications n
        where n.position = e.position
          and (n.retracted_position is not null or n.expires_at is not null)
          and (n.retracted_position is not null or n.expires_at <= $2)
        offset 0
    ) n
    left join lateral (
        select m.read_at, m.seen_at, m.archived_at, m.deleted_at
        from marks m
        where m.user_id = (select user_id from reader)
          and m.position = e.position
        offset 0
    ) m on true
    cross join lateral (select m.archived_at is not null or m.deleted_at is not null as away) a
), hidden as (
    select count(*) filter (where away) as away,
           count(*) filter (where not away and m.read_at is not null) as read,
           count(*) filter (where not away and m.seen_at is not null) as seen
    from marks m
    cross join lateral (select m.archived_at is not null or m.deleted_at is not null as away) a
    where m.user_id = (select user_id from reader)
      and m.position <= (select above from kept)
), marked as (
    select coalesce(max(away), 0) as away, coalesce(max(read), 0) as read, coalesce(max(seen), 0) as seen
    from tallies
    where user_id = (select user_id from reader)
), counted as materialized (
    select (
               select count(*)
               from inbox i
               where i.user_id = (select user_id from reader)
                 and i.position > (select above from kept)
           ) + (select count(*) from joined) - (marked.away - hidden.away) - gone.total as total,
           marked.read - hidden.read - gone.read as read,
           marked.seen - hidden.seen - gone.seen as seen
    from marked
    cross join hidden
    cross join gone
)
select c.position, counted.total, counted.total - counted.read, counted.total - counted.seen
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
cross join counted;
