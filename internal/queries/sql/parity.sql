-- $1 the version
select against, position, users, differing_users, started_at, finished_at
from parity
where version = $1;
