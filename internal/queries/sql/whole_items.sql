-- Everything a user ever received, stored or joined, whatever became of it, newest
-- first, but for the content.
-- $1 the user
with reader as (
    select user_id from users where name = $1
), received as (
    select i.position
    from inbox i
    where i.user_id = (select user_id from reader)
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
          and t.severity >= p.floor
        offset 0
    ) t
    where p.user_id = (select user_id from reader)
)
select n.position, n.id, n.targets, n.severity, n.published_at, n.expires_at,
       n.retracted_position is not null or m.deleted_at is not null,
       m.seen_at, m.read_at, m.archived_at
from received r
cross join lateral (
    select n.position, n.id, n.targets, n.severity, n.published_at, n.expires_at, n.retracted_position
    from notifications n
    where n.position = r.position
    offset 0
) n
left join lateral (
    select m.seen_at, m.read_at, m.archived_at, m.deleted_at
    from marks m
    where m.user_id = (select user_id from reader)
      and m.position = r.position
    offset 0
) m on true
order by n.position desc;
