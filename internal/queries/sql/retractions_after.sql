-- What was retracted after a position of what a user had received, oldest first.
-- $1 the user, $2 only above this position, $3 how many
with reader as (
    select user_id from users where name = $1
)
select 0::bigint, r.position, n.id
from retractions r
cross join lateral (
    select n.id, n.position, n.severity
    from notifications n
    where n.position = r.notification_position
    offset 0
) n
cross join lateral (
    select
    from inbox i
    where i.user_id = (select user_id from reader)
      and i.position = n.position
    union all
    select
    from topic_targets t
    join periods p on p.topic_id = t.topic_id
                  and p.user_id = (select user_id from reader)
                  and p.from_position < t.position
                  and p.until_position > t.position
                  and p.min_severity <= n.severity
    where t.position = n.position
      and not t.stored
    limit 1
) received
where r.position > $2
  and exists (select from reader)
order by r.position
limit $3;
