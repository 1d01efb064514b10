-- As inbox_page.sql, for items addressed to one topic: $7 the topic
with reader as (
    select user_id from users where name = $1
), topic as (
    select topic_id from topics where name = $7
), page as (
    (
        select i.position
        from inbox i
        cross join lateral (
            select
            from topic_targets about
            where about.topic_id = (select topic_id from topic)
              and about.position = i.position
            offset 0
        ) about
        left join lateral (
            select m.seen_at, m.read_at, m.archived_at, m.deleted_at
            from marks m
            where m.user_id = i.user_id
              and m.position = i.position
            offset 0
        ) m on true
        cross join lateral (
            select
            from notifications n
            where n.position = i.position
              and n.retracted_position is null
              and (n.expires_at is null or n.expires_at > $4)
              and m.deleted_at is null
              and m.archived_at is null
              and ($5::smallint is null or n.severity = $5)
              and (m.read_at is null or not $6)
            offset 0
        ) visible
        where i.user_id = (select user_id from reader)
          and i.position < $2
        order by i.position desc
        limit $3
    )
    union
    (
        select joined.position
        from periods p
        cross join lateral (
            select t.position
            from topic_targets t
            cross join lateral (
                select
                from topic_targets about
                where about.topic_id = (select topic_id from topic)
                  and about.position = t.position
                offset 0
            ) about
            left join lateral (
                select m.seen_at, m.read_at, m.archived_at, m.deleted_at
                from marks m
                where m.user_id = p.user_id
                  and m.position = t.position
                offset 0
            ) m on true
            cross join lateral (
                select
                from notifications n
                where n.position = t.position
                  and n.retracted_position is null
                  and (n.expires_at is null or n.expires_at > $4)
                  and n.severity >= p.min_severity
                  and m.deleted_at is null
                  and m.archived_at is null
                  and ($5::smallint is null or n.severity = $5)
                  and (m.read_at is null or not $6)
                offset 0
            ) visible
            where t.topic_id = p.topic_id
              and not t.stored
              and t.position > p.from_position
              and t.position < p.until_position
              and t.position < $2
            order by t.position desc
            limit $3
        ) joined
        where p.user_id = (select user_id from reader)
    )
    order by position desc
    limit $3
)
select c.position,
       n.position, n.id, n.targets, n.severity, n.title, n.body, n.data, n.sender, n.link,
       n.published_at, n.expires_at, m.seen_at, m.read_at, m.archived_at
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join page on true
left join notifications n on n.position = page.position
left join lateral (
    select m.seen_at, m.read_at, m.archived_at, m.deleted_at
    from marks m
    where m.user_id = (select user_id from reader)
      and m.position = page.position
    offset 0
) m on true
order by page.position desc;
