-- How many items are in an inbox, archived ones left out, and how many of them are
-- unread and unseen.
-- $1 the user, $2 the time of the answer
with reader as (
    select user_id from users where name = $1
), received as (
    select i.position
    from inbox i
    where i.user_id = (select user_id from reader)
    union
    select t.position
    from periods p
    join topic_targets t on t.topic_id = p.topic_id
                        and not t.stored
                        and t.position > p.from_position
                        and t.position < p.until_position
    join notifications n on n.position = t.position
                        and n.severity >= p.min_severity
    where p.user_id = (select user_id from reader)
), counted as (
    select count(*) as total,
           count(*) filter (where m.read_at is null) as unread,
           count(*) filter (where m.seen_at is null) as unseen
    from received
    join notifications n on n.position = received.position
    left join marks m on m.user_id = (select user_id from reader) and m.position = received.position
    where n.retracted_position is null
      and (n.expires_at is null or n.expires_at > $2)
      and m.deleted_at is null
      and m.archived_at is null
)
select c.position, counted.total, counted.unread, counted.unseen
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
cross join counted;
