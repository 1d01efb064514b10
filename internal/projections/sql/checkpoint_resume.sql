update projections
set halted_position = null,
    halted_reason   = null
where name = $1
  and halted_position is not null
