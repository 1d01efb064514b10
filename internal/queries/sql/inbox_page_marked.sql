-- The newest archived or read items of an inbox, newest first. A mark exists only
-- for what the user had received, so that the marks are enough to walk along.
-- $1 the user, $2 the time of the answer, $3 "for ever", $4 only below this position,
-- $5 how many, $6 only this severity or null, $7 archived ones (true), or read and not
-- archived ones (false), $8 only items addressed to this topic, or ''
with
/* kept */
, page as (
    select m.position
    from marks m
    cross join lateral (
        select
        from notifications n
        where n.position = m.position
          and n.retracted_position is null
          and (n.expires_at is null or n.expires_at > $2)
          and ($6::smallint is null or n.severity = $6)
          and ($8::text = '' or 'topic:' || $8 = any (n.targets))
        offset 0
    ) visible
    where m.user_id = (select user_id from reader)
      and m.position < $4
      and m.position > (select above from kept)
      and m.deleted_at is null
      and (m.archived_at is not null) = $7
      and (m.archived_at is not null or m.read_at is not null)
    order by m.position desc
    limit $5
)
/* contents */
order by page.position desc;
