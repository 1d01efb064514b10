-- The fence: whoever holds this row decides what comes after its position.
select position
from projections
where name = $1
for no key update
