-- What users did to items, folded per item in the order of positions. An item
-- counts if it was in the user's inbox before the change and neither deleted nor
-- retracted by then. Each change is about one mark: the last one wins, a repeat
-- of it changes nothing. A row comes into being with the first mark set and stays.
with named as (
    select o.user_id, n.position, o.position as at_position, o.change, o.at, n.retracted_position
    from unnest($1::bigint[], $2::bigint[], $3::text[], $4::timestamptz[], $5::uuid[])
        as o (user_id, position, change, at, id)
    join notifications n on n.id = o.id
                        and n.position < o.position
    cross join lateral (
        select
        from inbox i
        where i.user_id = o.user_id
          and i.position = n.position
        union all
        select
        from topic_targets t
        join periods p on p.topic_id = t.topic_id
        where t.position = n.position
          and not t.stored
          and p.user_id = o.user_id
          and p.from_position < n.position
          and p.until_position > n.position
          and p.min_severity <= n.severity
        limit 1
    ) as member
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
        from periods p
        join topic_targets t on t.topic_id = p.topic_id
                            and not t.stored
                            and t.position > p.from_position
                            and t.position < p.until_position
        join notifications j on j.position = t.position
                            and j.severity >= p.min_severity
        where p.user_id = o.user_id
          and t.position > o.above
          and t.position <= o.upto
    ) as member
    join notifications n on n.position = member.position
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
    left join marks m on m.user_id = t.user_id
                     and m.position = t.position
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
    select user_id, position, marked,
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
    group by user_id, position, marked, seen_at, read_at, archived_at, unread_position, unarchived_position
)
insert into marks as m (user_id, position, seen_at, read_at, archived_at, deleted_at)
select user_id, position, seen_at, read_at, archived_at, deleted_at
from folded
where marked or marks
on conflict (user_id, position) do update
set seen_at     = excluded.seen_at,
    read_at     = excluded.read_at,
    archived_at = excluded.archived_at,
    deleted_at  = excluded.deleted_at
where (m.seen_at, m.read_at, m.archived_at, m.deleted_at)
    is distinct from (excluded.seen_at, excluded.read_at, excluded.archived_at, excluded.deleted_at)
