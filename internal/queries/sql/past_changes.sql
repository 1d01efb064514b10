-- What a user did to items up to a position, oldest first, with the positions of the
-- items that were named.
-- $1 the user, $2 up to this position
select c.position, c.at, c.change, c.through,
       array(
           select n.position
           from unnest(c.ids) named (id)
           cross join lateral (select n.position from notifications n where n.id = named.id offset 0) n
       )
from users u
join changes c on c.user_id = u.user_id
where u.name = $1
  and c.position <= $2
order by c.position;
