-- What was retracted after a position of what a user had received, oldest first.
-- Who had received it, the targets and periods say: its row in inbox may be gone.
-- $1 the user, $2 only above this position, $3 how many
with reader as (
    select user_id from users where name = $1
)
select 0::bigint, r.position, n.id
from retractions r
cross join lateral (
    select n.id, n.position
    from notifications n
    where n.position = r.notification_position
    offset 0
) n
cross join lateral (
    select
    from user_targets u
    where u.position = n.position
      and u.user_id = (select user_id from reader)
    union all
    select
    from audience_targets t
    cross join lateral (
        select
        from audiences a
        join periods p on p.topic_id = a.topic_id
        where a.audience_id = t.audience_id
          and p.user_id = (select user_id from reader)
          and p.audience_id = t.audience_id
          and p.from_position < t.position
          and p.until_position > t.position
          and p.floor <= t.severity
        offset 0
    ) member
    where t.position = n.position
    limit 1
) received
where r.position > $2
  and exists (select from reader)
order by r.position
limit $3;
