-- +goose Up

-- The versions of the inbox read model. Each has a schema of its own; beside this
-- table stand views that show the serving one's tables. Its leader writes it about
-- once a second: what was not written for long is not known.
create table versions (
    version           integer          primary key check (version > 0),
    schema            text             not null unique,
    serving           boolean          not null default false,
    served            boolean          not null default false, -- ever: one that was replaced is kept, not folded
    caught_up_at      timestamptz,                             -- when its building ended
    state             text             not null default 'starting',
    reason            text             not null default '',
    halted_position   bigint,                                  -- the event that cannot be applied
    position          bigint           not null default 0,
    head              bigint           not null default 0,
    lag_events        bigint           not null default 0,
    lag_seconds       double precision not null default 0,
    events_folded     bigint           not null default 0,     -- since it was last started
    events_per_second double precision not null default 0,
    seconds_left      double precision,                        -- unknown: null
    started_at        timestamptz      not null default now(),
    updated_at        timestamptz      not null default now(),
    check (not serving or served)
);
create unique index versions_serving on versions (serving) where serving;

-- What would change for users if a version took another's place, both folded up to
-- the same position.
create table parity (
    version         integer     primary key,
    against         integer     not null,
    position        bigint      not null,
    users           bigint      not null, -- compared
    differing_users bigint      not null, -- all of them, also where differences are not listed
    started_at      timestamptz not null,
    finished_at     timestamptz not null
);

create table parity_differences (
    version         integer not null,
    username        text    collate "C" not null,
    line            integer not null,
    kind            text    not null, -- item, subscription, preferences, or more: not all are listed
    position        bigint  not null,
    notification_id uuid,
    topic           text,
    difference      text    not null,
    primary key (version, username, line)
);

-- +goose Down
drop table parity_differences, parity, versions;
