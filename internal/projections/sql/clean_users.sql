-- Deletes what retention had hidden from some users: $1 those after this one, $2 how
-- many of them, $3 rows at most, $4 up to where items were too old, $5 how many of
-- the newest stay (0: all), as of position $6.
with visited as materialized (
    select user_id from users where user_id > $1 order by user_id limit $2
), bounded as materialized (
    select v.user_id, greatest($4::bigint, b.upto) as upto
    from visited v
    cross join lateral (
        select coalesce((
            select r.position
            from (
                (
                    select i.position
                    from inbox i
                    where i.user_id = v.user_id
                      and i.position <= $6
                    order by i.position desc
                    limit $5
                )
                union
                select t.position
                from periods p
                cross join lateral (
                    select t.position
                    from audience_targets t
                    where t.audience_id = p.audience_id
                      and not t.stored
                      and t.position > p.from_position
                      and t.position < p.until_position
                      and t.position <= $6
                      and t.severity >= p.floor
                    order by t.position desc
                    limit $5
                ) t
                where p.user_id = v.user_id
                  and p.floor < 127
            ) r
            order by r.position desc
            offset $5::bigint - 1
            limit 1
        ), 0) - 1 as upto
        where $5::bigint > 0
        union all
        select 0
        where $5::bigint = 0
    ) b
), hidden as materialized (
    select b.user_id, i.position
    from bounded b
    cross join lateral (
        select i.position
        from inbox i
        where i.user_id = b.user_id
          and i.position <= b.upto
        order by i.position
        limit $3
    ) i
    limit $3
), deleted as (
    delete from inbox i
    using hidden h
    where i.user_id = h.user_id
      and i.position = h.position
    returning i.position
), marked as materialized (
    select b.user_id, m.position
    from bounded b
    cross join lateral (
        select m.position
        from marks m
        where m.user_id = b.user_id
          and m.position <= b.upto
        order by m.position
        limit $3
    ) m
    limit $3
), unmarked as (
    delete from marks m
    using marked d
    where m.user_id = d.user_id
      and m.position = d.position
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
), noted as (
    update users u
    set cleaned_position = b.upto
    from bounded b
    where u.user_id = b.user_id
      and u.cleaned_position < b.upto
      and u.user_id in (select user_id from hidden union all select user_id from marked)
)
select coalesce((select max(user_id) from visited), 0),
       (select count(*) from visited),
       (select count(*) from deleted),
       (select count(*) from unmarked)
