delete from limits.instances
where instance = $1
