-- The topics a user has muted.
-- $1 the user
select 0::bigint, p.muted_topics
from users u
join preferences p on p.user_id = u.user_id
where u.name = $1;
