-- The differences of the next users, by name.
-- $1 the version, $2 only users after this one, $3 how many users
select d.username, d.kind, d.position, d.notification_id, d.topic, d.difference
from (
    select distinct username
    from parity_differences
    where version = $1
      and username > $2
    order by username
    limit $3
) u
join parity_differences d on d.version = $1
                         and d.username = u.username
order by d.username, d.line;
