-- What a user did to items after a position, oldest first.
-- $1 the user, $2 only above this position, $3 how many
select 0::bigint, c.position, c.change, c.ids, c.through
from users u
join changes c on c.user_id = u.user_id
where u.name = $1
  and c.position > $2
order by c.position
limit $3;
