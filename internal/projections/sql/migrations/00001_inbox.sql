-- +goose Up

-- Positions are log positions. 9223372036854775807 in until_position means "to this day".
-- There are no foreign keys: one writer makes both ends in one transaction, and
-- checking cost almost half of projecting a publish.

create table projections (
    name            text        primary key,
    store_id        uuid        not null, -- whose positions these are (StoreNamed)
    position        bigint      not null check (position >= 0),
    updated_at      timestamptz not null default now(),
    halted_position bigint,               -- the event that cannot be applied
    halted_reason   text,
    check ((halted_position is null) = (halted_reason is null))
);

create table users (
    user_id bigint generated always as identity primary key,
    name    text collate "C" not null unique
);

create table topics (
    topic_id    bigint generated always as identity primary key,
    name        text collate "C" not null unique,
    description text   not null default '',
    subscribers bigint not null default 0 check (subscribers >= 0)
);

-- A user's subscription to a topic with unchanging rules, both ends exclusive.
create table periods (
    topic_id       bigint   not null,
    user_id        bigint   not null,
    from_position  bigint   not null,
    until_position bigint   not null default 9223372036854775807,
    since_position bigint   not null, -- where the subscription began, kept through changes
    min_severity   smallint not null,
    primary key (topic_id, user_id, from_position),
    check (since_position <= from_position),
    check (from_position < until_position)
);
-- At most one open period a pair; and who was a member at a recent position is
-- one range, however many periods ended before it.
create unique index periods_by_end on periods (topic_id, until_position, user_id);
create index periods_by_user on periods (user_id, topic_id, from_position);

create table notifications (
    position           bigint      primary key,
    id                 uuid        not null unique,
    targets            text[]      not null, -- text forms, in the publisher's order
    severity           smallint    not null,
    title              text        not null,
    body               text        not null,
    data               json,
    sender             text        not null,
    link               text        not null,
    published_at       timestamptz not null,
    expires_at         timestamptz,
    retracted_position bigint      check (retracted_position > position)
);

-- The few that may be hidden; counting asks only these whether they are.
create index notifications_ends on notifications (position) where retracted_position is not null or expires_at is not null;

-- A topic a notification was published to, and which way it went: stored per
-- recipient in inbox, or joined with periods when read.
create table topic_targets (
    topic_id bigint  not null,
    position bigint  not null,
    stored   boolean not null,
    primary key (topic_id, position)
);
create index topic_targets_by_position on topic_targets (position);
create index topic_targets_joined on topic_targets (topic_id, position) where not stored;

-- A user named by a notification; always stored in inbox as well.
create table user_targets (
    position bigint not null,
    user_id  bigint not null,
    primary key (position, user_id)
);

-- Fan-out on write: who has what, once each.
create table inbox (
    user_id  bigint not null,
    position bigint not null,
    primary key (user_id, position)
);

-- What a user did to an item; a row only once they touched it.
create table marks (
    user_id     bigint not null,
    position    bigint not null,
    seen_at     timestamptz,
    read_at     timestamptz,
    archived_at timestamptz,
    deleted_at  timestamptz,
    primary key (user_id, position)
);

-- What the streams of a user were told, for those that were away.
create table changes (
    user_id  bigint not null,
    position bigint not null,
    change   text   not null,
    ids      uuid[] not null,
    through  bigint not null, -- 0 where ids name the items
    primary key (user_id, position)
);

create table retractions (
    position              bigint primary key,
    notification_position bigint not null
);

-- +goose Down
drop table retractions, changes, marks, inbox, user_targets, topic_targets, notifications, periods, topics, users, projections;
