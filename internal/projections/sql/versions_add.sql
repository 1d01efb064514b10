insert into versions (version, schema)
values ($1, $2)
on conflict (version) do nothing
