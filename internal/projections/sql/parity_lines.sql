-- What the users of the names $1 have at the time $2, a line each: items with their
-- marks, subscriptions, and what they prefer. What nobody is shown is left out, whether its rows are
-- still there or not: retracted, expired, deleted, hidden by retention.
select u.name, l.kind, l.position, l.id, l.topic, l.text
from users u
cross join lateral (
    select 'item' as kind, received.position, n.id, '' as topic,
           concat_ws(', ', 'seen ' || m.seen_at, 'read ' || m.read_at, 'archived ' || m.archived_at) as text
    from (
        select position
        from (
            select i.position
            from inbox i
            where i.user_id = u.user_id
            union
            select t.position
            from periods p
            join audience_targets t on t.audience_id = p.audience_id
                                   and not t.stored
                                   and t.position > p.from_position
                                   and t.position < p.until_position
                                   and t.severity >= p.floor
            where p.user_id = u.user_id
        ) reached
        order by position desc
        limit (select nullif(keep_items, 0) from projections where name = 'inbox')
    ) received
    join notifications n on n.position = received.position
                        and n.retracted_position is null
                        and (n.expires_at is null or n.expires_at > $2)
    left join marks m on m.user_id = u.user_id
                     and m.position = received.position
    where m.deleted_at is null
      and received.position > (
          select case when c.keep_seconds = 0 then 0 else coalesce((
                     select position - 1
                     from clock
                     where at > $2 - make_interval(secs => c.keep_seconds)
                     order by at, position
                     limit 1
                 ), c.position) end
          from projections c
          where c.name = 'inbox'
      )
    union all
    select 'subscription', p.since_position, null, t.name,
           format('min_severity %s, muted %s, filter %s', p.min_severity, p.muted, a.filter)
    from periods p
    join topics t on t.topic_id = p.topic_id
    join audiences a on a.audience_id = p.audience_id
    where p.user_id = u.user_id
      and p.until_position = 9223372036854775807
    union all
    select 'preferences', p.position, null, '', p.settings::jsonb::text
    from preferences p
    where p.user_id = u.user_id
) l
where u.name = any ($1::text[])
