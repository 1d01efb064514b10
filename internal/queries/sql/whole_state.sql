-- The checkpoint, the retention, and up to where items are too old.
-- $1 the time of the answer, $2 the user
select c.position, c.keep_seconds, c.keep_items,
       coalesce((select cleaned_position from users where name = $2), 0),
       case
           when c.keep_seconds = 0 then 0
           else coalesce((
               select k.position - 1
               from clock k
               where k.at > $1::timestamptz - make_interval(secs => c.keep_seconds)
               order by k.at, k.position
               limit 1
           ), c.position)
       end
from projections c
where c.name = 'inbox';
