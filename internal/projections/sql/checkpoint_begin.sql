insert into projections (name, store_id, position)
values ($1, $2, 0)
on conflict (name) do nothing
