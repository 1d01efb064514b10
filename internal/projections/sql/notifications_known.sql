select id, position, retracted_position is not null
from notifications
where id = any ($1::uuid[])
