-- The last row of the clock at or below a position, and the row after it.
-- $1 the position
select 0::bigint, c.position, c.at, c.events, c.later
from (
    (select position, at, events, false as later from clock where position <= $1 order by position desc limit 1)
    union all
    (select position, at, events, true from clock where position > $1 order by position limit 1)
) c
order by c.later;
