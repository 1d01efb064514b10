-- The last row of the clock that is not after a time, and the row after it.
-- $1 the time
select 0::bigint, c.position, c.at, c.events, c.later
from (
    (select position, at, events, false as later from clock where at <= $1 order by at desc, position desc limit 1)
    union all
    (select position, at, events, true from clock where at > $1 order by at, position limit 1)
) c
order by c.later;
