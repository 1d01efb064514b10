-- What a user asked of everything that is sent to them.
-- $1 the user
select c.position, p.settings
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join (
    select p.settings
    from users u
    join preferences p on p.user_id = u.user_id
    where u.name = $1
) p on true;
