-- What is remembered of how many marks a user has, and how many there are.
-- $1 the user
with reader as (
    select user_id from users where name = $1
)
select coalesce(max(t.away), 0), coalesce(max(t.read), 0), coalesce(max(t.seen), 0),
       coalesce(max(m.away), 0), coalesce(max(m.read), 0), coalesce(max(m.seen), 0)
from (
    select count(*) filter (where away) as away,
           count(read_at) filter (where not away) as read,
           count(seen_at) filter (where not away) as seen
    from (
        select read_at, seen_at, archived_at is not null or deleted_at is not null as away
        from marks
        where user_id = (select user_id from reader)
    ) mine
) m
left join tallies t on t.user_id = (select user_id from reader);
