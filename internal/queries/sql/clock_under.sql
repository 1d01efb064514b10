-- The last row of the clock that is before a time.
-- $1 the time
select position
from clock
where at < $1
order by at desc, position desc
limit 1;
