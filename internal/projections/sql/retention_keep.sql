update projections
set keep_seconds = $2,
    keep_items   = $3
where name = $1
