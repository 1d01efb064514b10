select name
from users
where name > $1
order by name
limit $2
