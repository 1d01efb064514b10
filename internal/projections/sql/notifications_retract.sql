update notifications n
set retracted_position = r.position
from unnest($1::bigint[], $2::bigint[]) as r (position, notification_position)
where n.position = r.notification_position
