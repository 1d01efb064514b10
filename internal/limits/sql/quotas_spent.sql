select coalesce((select spent from limits.quotas where day = $1 and subject = $2), 0)
