insert into parity (version, against, position, users, differing_users, started_at, finished_at)
values ($1, $2, $3, $4, $5, $6, now())
