-- Deletes what is stored of notifications that had expired or were retracted: $1
-- those after this position, $2 how many are looked at, $3 rows at most, $4 those
-- retracted up to this position, $5 or expired by this time. Once all of theirs are
-- gone they are not looked at again.
with visited as materialized (
    select n.position,
           coalesce(n.retracted_position <= $4, false) or coalesce(n.expires_at <= $5, false) as ended
    from notifications n
    where not n.cleaned
      and (n.retracted_position is not null or n.expires_at is not null)
      and n.position > $1
    order by n.position
    limit $2
), hidden as materialized (
    select i.user_id, i.position
    from (select position from visited where ended) v
    cross join lateral (
        select u.user_id
        from user_targets u
        where u.position = v.position
        union
        select p.user_id
        from (
            select t.audience_id, t.stored from audience_targets t where t.position = v.position offset 0
        ) t
        cross join lateral (
            select p.user_id
            from periods p
            where p.audience_id = t.audience_id
              and p.until_position > v.position
              and p.from_position < v.position
            offset 0
        ) p
        where t.stored
    ) r
    cross join lateral (
        select i.user_id, i.position from inbox i where i.user_id = r.user_id and i.position = v.position offset 0
    ) i
    limit $3
), deleted as (
    delete from inbox i
    using hidden h
    where i.user_id = h.user_id
      and i.position = h.position
    returning i.position
), unmarked as (
    delete from marks m
    using hidden h
    where m.user_id = h.user_id
      and m.position = h.position
    returning m.user_id, m.seen_at, m.read_at, m.archived_at is not null or m.deleted_at is not null as away
), counted as (
    update tallies t
    set away = t.away - u.away,
        read = t.read - u.read,
        seen = t.seen - u.seen
    from (
        select user_id,
               count(*) filter (where away) as away,
               count(read_at) filter (where not away) as read,
               count(seen_at) filter (where not away) as seen
        from unmarked
        group by user_id
    ) u
    where t.user_id = u.user_id
), done as (
    update notifications n
    set cleaned = true
    from visited v
    where n.position = v.position
      and v.ended
      and (select count(*) from hidden) < $3
)
select coalesce((select max(position) from visited), 0),
       (select count(*) from visited),
       (select count(*) from deleted),
       (select count(*) from unmarked)
