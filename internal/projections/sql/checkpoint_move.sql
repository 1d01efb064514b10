update projections
set position        = $3,
    updated_at      = now(),
    halted_position = null,
    halted_reason   = null,
    latest_at       = $4,
    events          = $5
where name = $1
  and position = $2
