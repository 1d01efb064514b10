update projections
set position        = $3,
    updated_at      = now(),
    halted_position = null,
    halted_reason   = null
where name = $1
  and position = $2
