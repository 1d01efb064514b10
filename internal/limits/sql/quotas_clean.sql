delete from limits.quotas
where day < $1 - 2
