-- What users did to items, folded per item in the order of positions. An item
-- counts if it was in the user's inbox before the change and neither deleted nor
-- retracted by then. Each change is about one mark: the last one wins, a repeat
-- of it changes nothing. A row comes into being with the first mark set and stays.
-- The tallies follow by what became of each changed mark.
--
-- "offset 0" keeps every step a probe of one index, driven by the batch: with a plan
-- made while tables were small the planner goes through whole indexes instead.
with named as (
    select o.user_id, n.position, o.position as at_position, o.change, o.at, n.retracted_position
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::uuid[])
        as o (user_id, position, change, at, id)
    cross join lateral (
        select n.position, n.retracted_position
        from notifications n
        where n.id = o.id
        offset 0
    ) as n
    cross join lateral (
        select
        from inbox i
        where i.user_id = o.user_id
          and i.position = n.position
        union all
        select
        from (
            select t.audience_id, t.severity, t.stored from audience_targets t where t.position = n.position offset 0
        ) as t
        cross join lateral (
            select a.topic_id from audiences a where a.audience_id = t.audience_id offset 0
        ) as a
        cross join lateral (
            select p.audience_id, p.floor
            from periods p
            where p.topic_id = a.topic_id
              and p.user_id = o.user_id
              and p.from_position < n.position
              and p.until_position > n.position
            offset 0
        ) as p
        where not t.stored
          and p.audience_id = t.audience_id
          and p.floor <= t.severity
        limit 1
    ) as member
    where n.position < o.position
),
swept as (
    select o.user_id, n.position, o.position as at_position, o.change, o.at, n.retracted_position
    from unnest($6::bigint[], $7::bigint[], $8::text[], $9::timestamptz[], $10::bigint[], $11::bigint[])
        as o (user_id, position, change, at, above, upto)
    cross join lateral (
        select i.position
        from inbox i
        where i.user_id = o.user_id
          and i.position > o.above
          and i.position <= o.upto
        union
        select t.position
        from (
            select p.audience_id, p.from_position, p.until_position, p.floor
            from periods p
            where p.user_id = o.user_id
            offset 0
        ) as p
        cross join lateral (
            select t.position
            from audience_targets t
            where t.audience_id = p.audience_id
              and not t.stored
              and t.position > greatest(p.from_position, o.above)
              and t.position < least(p.until_position, o.upto + 1)
              and t.severity >= p.floor
            offset 0
        ) as t
        offset 0
    ) as member
    cross join lateral (
        select n.position, n.retracted_position from notifications n where n.position = member.position offset 0
    ) as n
),
touched as (
    select user_id, position, at_position, change, at
    from named
    where at_position < coalesce(retracted_position, 9223372036854775807)
    union
    select user_id, position, at_position, change, at
    from swept
    where at_position < coalesce(retracted_position, 9223372036854775807)
),
standing as (
    select t.*,
           m.user_id is not null as marked, m.seen_at, m.read_at, m.archived_at,
           min(t.at_position) filter (where t.change = 'delete') over item as deleted_position
    from touched t
    left join lateral (
        select m.* from marks m where m.user_id = t.user_id and m.position = t.position offset 0
    ) as m on true
    where m.deleted_at is null
    window item as (partition by t.user_id, t.position)
),
counting as (
    select *,
           max(at_position) filter (where change = 'unread') over item as unread_position,
           max(at_position) filter (where change = 'unarchive') over item as unarchived_position
    from standing
    where at_position <= coalesce(deleted_position, 9223372036854775807)
    window item as (partition by user_id, position)
),
folded as (
    select user_id, position, marked, seen_at as old_seen_at, read_at as old_read_at, archived_at as old_archived_at,
           coalesce(seen_at, (array_agg(at order by at_position) filter (where change = 'seen'))[1]) as seen_at,
           coalesce(
               case when unread_position is null then read_at end,
               (array_agg(at order by at_position)
                   filter (where change = 'read' and at_position > coalesce(unread_position, 0)))[1]
           ) as read_at,
           coalesce(
               case when unarchived_position is null then archived_at end,
               (array_agg(at order by at_position)
                   filter (where change = 'archive' and at_position > coalesce(unarchived_position, 0)))[1]
           ) as archived_at,
           (array_agg(at order by at_position) filter (where change = 'delete'))[1] as deleted_at,
           bool_or(change in ('seen', 'read', 'archive', 'delete')) as marks
    from counting
    group by user_id, position, marked, counting.seen_at, counting.read_at, counting.archived_at, unread_position, unarchived_position
),
changed as (
    select *
    from folded
    where not marked and marks
       or marked and (seen_at, read_at, archived_at, deleted_at)
           is distinct from (old_seen_at, old_read_at, old_archived_at, null::timestamptz)
),
written as (
    insert into marks (user_id, position, seen_at, read_at, archived_at, deleted_at)
    select user_id, position, seen_at, read_at, archived_at, deleted_at
    from changed
    on conflict (user_id, position) do update
    set seen_at     = excluded.seen_at,
        read_at     = excluded.read_at,
        archived_at = excluded.archived_at,
        deleted_at  = excluded.deleted_at
),
counted as (
    select user_id,
           sum(is_away::int - was_away::int) as away,
           sum((read_at is not null and not is_away)::int - (old_read_at is not null and not was_away)::int) as read,
           sum((seen_at is not null and not is_away)::int - (old_seen_at is not null and not was_away)::int) as seen
    from changed
    cross join lateral (
        select archived_at is not null or deleted_at is not null as is_away,
               old_archived_at is not null as was_away -- what was deleted never changes
    ) as kept
    group by user_id
)
insert into tallies (user_id, away, read, seen)
select c.user_id, coalesce(t.away, 0) + c.away, coalesce(t.read, 0) + c.read, coalesce(t.seen, 0) + c.seen
from counted c
left join lateral (
    select t.away, t.read, t.seen from tallies t where t.user_id = c.user_id offset 0
) as t on true
on conflict (user_id) do update
set away = excluded.away,
    read = excluded.read,
    seen = excluded.seen
