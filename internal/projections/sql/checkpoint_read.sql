select store_id, position
from projections
where name = $1
