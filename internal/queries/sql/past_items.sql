-- What a user had received by a position and could still see then, whatever they
-- themselves did to it, newest first.
-- $1 the user, $2 the time of the answer, $3 the position it is as of, $4 only below
-- this position, $5 how many, $6 only this severity or null, $7 only items addressed
-- to this topic, or ''
--
-- Of what is stored, only what may have ended is looked up, unless all must be.
with
/* kept */
, stored as (
    select i.position
    from inbox i
    where i.user_id = (select user_id from reader)
      and i.position < $4
      and i.position <= $3
      and i.position > (select above from kept)
      and i.position not in (
          select e.position
          from inbox e
          cross join lateral (
              select
              from notifications n
              where n.position = e.position
                and (n.retracted_position <= $3 or n.expires_at <= $2)
              offset 0
          ) gone
          where e.user_id = (select user_id from reader)
            and e.position < $4
            and e.position <= $3
            and e.position > (select above from kept)
            and e.ends
      )
      and ($6::smallint is null and $7::text = '' or exists (
          select
          from notifications n
          where n.position = i.position
            and ($6 is null or n.severity = $6)
            and ($7 = '' or 'topic:' || $7 = any (n.targets))
          offset 0
      ))
    order by i.position desc
    limit $5
), joined as (
    select walk.position
    from periods p
    cross join lateral (
        select t.position
        from audience_targets t
        cross join lateral (
            select
            from notifications n
            where n.position = t.position
              and (n.retracted_position is null or n.retracted_position > $3)
              and (n.expires_at is null or n.expires_at > $2)
              and ($6 is null or n.severity = $6)
              and ($7 = '' or 'topic:' || $7 = any (n.targets))
            offset 0
        ) visible
        where t.audience_id = p.audience_id
          and not t.stored
          and t.position > greatest(p.from_position, (select above from kept))
          and t.position < least(p.until_position, $4, $3 + 1)
          and t.severity >= p.floor
        order by t.position desc
        limit $5
    ) walk
    where p.user_id = (select user_id from reader)
      and not p.muted
)
select position
from (
    select position from stored
    union
    select position from joined
) received
order by position desc
limit $5;
