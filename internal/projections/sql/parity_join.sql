select format('set transaction snapshot %L', $1::text)
