-- The items of an inbox after a position, archived ones too, oldest first: the walks
-- of inbox_page.sql upwards.
-- $1 the user, $2 the time of the answer, $3 "for ever", $4 only above this position,
-- $5 how many
with
/* kept */
, page as (
    (
        select i.position
        from inbox i
        cross join lateral (
            select
            from notifications n
            where n.position = i.position
              and n.retracted_position is null
              and (n.expires_at is null or n.expires_at > $2)
            offset 0
        ) visible
        where i.user_id = (select user_id from reader)
          and i.position > greatest($4, (select above from kept))
          and not exists (
              select
              from marks m
              where m.user_id = (select user_id from reader)
                and m.position = i.position
                and m.deleted_at is not null
              offset 0
          )
        order by i.position
        limit $5
    )
    union
    (
        select walk.position
        from periods p
        cross join lateral (
            select t.position
            from audience_targets t
            where t.audience_id = p.audience_id
              and not t.stored
              and t.position > greatest(p.from_position, $4, (select above from kept))
              and t.position < p.until_position
              and t.severity >= p.floor
              and not exists (
                  select
                  from marks m
                  where m.user_id = p.user_id
                    and m.position = t.position
                    and m.deleted_at is not null
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
            order by t.position
            limit $5
        ) walk
        where p.user_id = (select user_id from reader)
          and not p.muted
          and p.until_position > $4
    )
    order by position
    limit $5
)
/* contents */
order by page.position;
