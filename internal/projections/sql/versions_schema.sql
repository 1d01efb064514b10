select format('create schema if not exists %I', $1::text)
