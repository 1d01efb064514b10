-- Notifications with one target, a topic: nobody is reached twice.
insert into inbox (user_id, position)
select p.user_id, t.position
from unnest($1::bigint[], $2::bigint[], $3::smallint[]) as t (topic_id, position, severity)
join periods p on p.topic_id = t.topic_id
              and p.until_position > t.position
              and p.from_position < t.position
              and p.min_severity <= t.severity
