select keep_seconds, keep_items, complete_from > 0
from projections
where name = $1
