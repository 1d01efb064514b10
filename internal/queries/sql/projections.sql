-- What is known of each version of the read model, as its leader wrote it.
-- $1 after how many seconds that is not known any more
select version, serving, reason, position, head, lag_events, lag_seconds, events_per_second, seconds_left,
       halted_position, caught_up_at is not null, started_at, updated_at,
       case when updated_at < now() - make_interval(secs => $1) then 'unknown' else state end
from versions
order by version;
