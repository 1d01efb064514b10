-- What the leader knows of each version, one row each.
update versions v
set state             = n.state,
    reason            = n.reason,
    halted_position   = nullif(n.halted_position, 0),
    position          = case when n.position < 0 then v.position else n.position end, -- as it was, where it is not folded
    head              = n.head,
    lag_events        = n.lag_events,
    lag_seconds       = n.lag_seconds,
    events_folded     = n.events_folded,
    events_per_second = n.events_per_second,
    seconds_left      = nullif(n.seconds_left, -1),
    caught_up_at      = coalesce(v.caught_up_at, case when n.caught_up then now() end),
    updated_at        = now()
from unnest(
    $1::integer[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[],
    $8::double precision[], $9::bigint[], $10::double precision[], $11::double precision[], $12::boolean[]
) as n (
    version, state, reason, halted_position, position, head, lag_events,
    lag_seconds, events_folded, events_per_second, seconds_left, caught_up
)
where v.version = n.version
