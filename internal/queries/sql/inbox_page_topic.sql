-- As inbox_page.sql, for items addressed to one topic: $8 the topic. Its audience
-- without a filter is reached by all that is published to it; of a topic with few
-- notifications they are remembered, of others each item is looked up.
with
/* kept */
, topic as (
    select a.audience_id
    from topics t
    join audiences a on a.topic_id = t.topic_id and a.digest = ''
    where t.name = $8
), few as materialized (
    select t.position
    from audience_targets t
    where t.audience_id = (select audience_id from topic)
      and t.position < $4
      and t.position > (select above from kept)
    order by t.position desc
    limit 2000
), page as (
    (
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
        where i.user_id = (select user_id from reader)
          and i.position < $4
          and i.position > (select above from kept)
          and case
                  when (select count(*) from few) < 2000 then i.position in (select position from few)
                  else exists (
                      select
                      from audience_targets about
                      where about.audience_id = (select audience_id from topic)
                        and about.position = i.position
                      offset 0
                  )
              end
          and not exists (
              select
              from marks m
              where m.user_id = (select user_id from reader)
                and m.position = i.position
                and (m.deleted_at is not null or m.archived_at is not null or m.read_at is not null and $7)
              offset 0
          )
        order by i.position desc
        limit $5
    )
    union
    (
        select walk.position
        from periods p
        cross join lateral (
            select t.position
            from audience_targets t
            cross join lateral (
                select
                from notifications n
                where n.position = t.position
                  and n.retracted_position is null
                  and (n.expires_at is null or n.expires_at > $2)
                  and ($6::smallint is null or n.severity = $6)
                offset 0
            ) visible
            where t.audience_id = p.audience_id
              and not t.stored
              and t.position > greatest(p.from_position, (select above from kept))
              and t.position < least(p.until_position, $4)
              and t.severity >= p.floor
              and case
                      when (select count(*) from few) < 2000 then t.position in (select position from few)
                      else exists (
                          select
                          from audience_targets about
                          where about.audience_id = (select audience_id from topic)
                            and about.position = t.position
                          offset 0
                      )
                  end
              and not exists (
                  select
                  from marks m
                  where m.user_id = p.user_id
                    and m.position = t.position
                    and (m.deleted_at is not null or m.archived_at is not null or m.read_at is not null and $7)
                  offset 0
              )
            order by t.position desc
            limit $5
        ) walk
        where p.user_id = (select user_id from reader)
          and not p.muted
    )
    order by position desc
    limit $5
)
/* contents */
order by page.position desc;
