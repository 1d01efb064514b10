select v.version, v.schema, v.serving, v.served, v.caught_up_at is not null, v.started_at,
       coalesce(extract(epoch from now() - p.finished_at), -1)::float8 as reported_seconds_ago,
       coalesce(p.differing_users, 0)
from versions v
left join parity p on p.version = v.version
order by v.version
