update projections
set halted_position = $2,
    halted_reason   = $3
where name = $1
