update projections
set complete_from  = greatest(complete_from, $2),
    complete_since = greatest(complete_since, $3)
where name = $1
