-- What each instance last reported. A crash may empty it: a second later it is full again.
create unlogged table if not exists limits.instances (
    instance text             primary key,
    beat     timestamptz      not null,
    busy     jsonb            not null check (jsonb_typeof(busy) = 'object'),
    cut      double precision not null check (cut >= 0)
) with (fillfactor = 50) -- written once a second: in place
