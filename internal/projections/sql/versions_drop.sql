select format('drop schema if exists %I cascade', $1::text)
