-- The reader, and where retention lets their inbox begin: what is at or below
-- kept.above is hidden. Nothing is looked for while everything is kept for ever. By
-- count, that is just below the last item kept: rows below it may be gone already
-- while their marks are not. Where a tighter retention has deleted rows, what is left
-- of them stays hidden.
-- $1 the user, $2 the time of the answer, $3 the position it is as of
reader as (
    select user_id, cleaned_position from users where name = $1
), aged as materialized (
    select least(position, $3) as position, keep_items,
           case
               when keep_seconds = 0 then 0
               else least(position, $3, (
                   select c.position - 1
                   from clock c
                   where c.at > $2::timestamptz - make_interval(secs => keep_seconds)
                   order by c.at, c.position
                   limit 1
               ))
           end as above
    from projections
    where name = 'inbox'
), kept as materialized (
    select greatest((select cleaned_position from reader), above, case
               when keep_items > 0 then (
                   select received.position - 1
                   from (
                       (
                           select i.position
                           from inbox i
                           where i.user_id = (select user_id from reader)
                             and i.position > aged.above
                             and i.position <= aged.position
                           order by i.position desc
                           limit aged.keep_items
                       )
                       union
                       (
                           select joined.position
                           from periods p
                           cross join lateral (
                               select t.position
                               from audience_targets t
                               where t.audience_id = p.audience_id
                                 and not t.stored
                                 and t.position > greatest(p.from_position, aged.above)
                                 and t.position < least(p.until_position, aged.position + 1)
                                 and t.severity >= p.floor
                               order by t.position desc
                               limit aged.keep_items
                           ) joined
                           where p.user_id = (select user_id from reader)
                             and not p.muted
                       )
                   ) received
                   order by received.position desc
                   limit 1
                   offset aged.keep_items - 1
               )
           end) as above
    from aged
)
