-- Users picked at random: ids are given out one by one, so that one near any number
-- is a user. Whoever follows a gap is picked more often.
-- $1 how many at most
with drawn as materialized (
    select 1 + floor(random() * (select coalesce(max(user_id), 0) from users))::bigint as user_id
    from generate_series(1, $1)
)
select distinct u.name
from drawn d
cross join lateral (
    select name
    from users
    where users.user_id >= d.user_id
    order by users.user_id
    limit 1
) u;
