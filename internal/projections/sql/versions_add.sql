-- Answers since when the version is there, also where another leader has added it.
insert into versions (version, schema)
values ($1, $2)
on conflict (version) do update set version = excluded.version
returning started_at
