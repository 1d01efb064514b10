select to_regclass('limits.instances') is not null and to_regclass('limits.quotas') is not null
