-- The newest items of an inbox, archived ones left out, newest first.
-- $1 the user, $2 the time of the answer, $3 "for ever", $4 only below this position,
-- $5 how many, $6 only this severity or null, $7 only unread ones
--
-- Three walks downwards, each as far as the page and what the walks before it have
-- found ask for: the newest that were stored for the user ("near"); what was
-- published to each of their topics and is joined; and, where nearly all of the
-- newest were put away, the older stored ones with the user's marks at hand ("far").
-- "offset 0" keeps the planner to one probe per step: it knows nothing of how much
-- one user has, and every other plan it might choose reads all of that. Who has read
-- all there is ("spent") is asked for by counting in the indexes first. What is
-- joined is looked for only among the few notifications that may be hidden.
with
/* kept */
, newest as materialized (
    select i.position
    from inbox i
    where i.user_id = (select user_id from reader)
      and i.position < $4
      and i.position > (select above from kept)
    order by i.position desc
    limit 2 * $5
), near as materialized (
    select i.position
    from newest i
    cross join lateral (
        select
        from notifications n
        where n.position = i.position
          and n.retracted_position is null
          and (n.expires_at is null or n.expires_at > $2)
          and ($6::smallint is null or n.severity = $6)
        offset 0
    ) visible
    where not exists (
        select
        from marks m
        where m.user_id = (select user_id from reader)
          and m.position = i.position
          and (m.deleted_at is not null or m.archived_at is not null or m.read_at is not null and $7)
        offset 0
    )
), spent as materialized (
    select case
               when not $7 or above > 0 or exists (select from near) then false -- no longer in the tables, or of no use
               else (
                   select away + read from tallies where user_id = (select user_id from reader)
               ) >= (
                   select count(*) from inbox i where i.user_id = (select user_id from reader)
               ) + (
                   select count(*)
                   from periods p
                   cross join lateral (
                       select
                       from audience_targets t
                       where t.audience_id = p.audience_id
                         and not t.stored
                         and t.position > p.from_position
                         and t.position < p.until_position
                         and t.severity >= p.floor
                       offset 0
                   ) t
                   where p.user_id = (select user_id from reader)
                     and not p.muted
               )
           end as spent
    from kept
), joined as materialized (
    select walk.position
    from periods p
    cross join lateral (
        select t.position
        from audience_targets t
        where t.audience_id = p.audience_id
          and not t.stored
          and t.position > greatest(p.from_position, (select above from kept), (select n.position from near n order by n.position desc limit 1 offset $5 - 1))
          and t.position < least(p.until_position, $4)
          and t.severity >= p.floor
          and ($6::smallint is null or t.severity = $6)
          and not exists (
              select
              from marks m
              where m.user_id = p.user_id
                and m.position = t.position
                and (m.deleted_at is not null or m.archived_at is not null or m.read_at is not null and $7)
              offset 0
          )
          and not exists (
              select
              from notifications n
              where n.position = t.position
                and (n.retracted_position is not null or n.expires_at is not null)
                and (n.retracted_position is not null or n.expires_at <= $2)
              offset 0
          )
        order by t.position desc
        limit $5
    ) walk
    where p.user_id = (select user_id from reader)
      and not p.muted
      and (select spent from spent) is not true
), found as materialized (
    select position from near
    union
    select position from joined
    order by position desc
    limit $5
), far_above as materialized (
    select greatest((select above from kept), (select f.position from found f order by f.position desc limit 1 offset $5 - 1)) as position
), far as (
    select i.position
    from inbox i
    cross join lateral (
        select
        from notifications n
        where n.position = i.position
          and n.retracted_position is null
          and (n.expires_at is null or n.expires_at > $2)
          and ($6::smallint is null or n.severity = $6)
        offset 0
    ) visible
    where (select count(*) from newest) = 2 * $5
      and (select spent from spent) is not true
      and i.user_id = (select user_id from reader)
      and i.position < (select min(position) from newest)
      and i.position > (select position from far_above)
      and (not $7 or i.position not in (
          select m.position
          from marks m
          where m.user_id = (select user_id from reader)
            and m.position < (select min(position) from newest)
            and m.position > (select position from far_above)
            and (m.deleted_at is not null or m.archived_at is not null or m.read_at is not null)
      ))
      and ($7 or i.position not in (
          select m.position
          from marks m
          where m.user_id = (select user_id from reader)
            and m.position < (select min(position) from newest)
            and m.position > (select position from far_above)
            and (m.deleted_at is not null or m.archived_at is not null)
      ))
    order by i.position desc
    limit $5
), page as (
    select position from found
    union
    select position from far
    order by position desc
    limit $5
)
/* contents */
order by page.position desc;
