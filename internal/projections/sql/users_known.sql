select name, user_id
from users
where name = any ($1::text[])
