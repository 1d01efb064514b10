-- +goose Up

-- One version of the inbox read model: it has a schema of its own, and views in the
-- base schema show the version that serves.
--
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
    -- Retention, a rule of every query: 0 keeps for ever.
    keep_seconds    bigint      not null default 0 check (keep_seconds >= 0),
    keep_items      bigint      not null default 0 check (keep_items >= 0),
    -- Rows were deleted that answers as of a position below this one, or of a time
    -- before this, would need: those come from the log.
    complete_from   bigint      not null default 0,
    complete_since  timestamptz not null default '-infinity',
    check ((halted_position is null) = (halted_reason is null))
);

-- Which position was when: the highest time recorded up to a position, noted for
-- the first event, and whenever 256 events or a second of that time have gone by.
create table clock (
    position bigint      primary key,
    at       timestamptz not null,
    events   bigint      not null -- how many events were folded up to here
);
create index clock_by_time on clock (at, position);

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

-- Those subscribers of a topic that have the same filter. A publish reaches an
-- audience as a whole or not at all, so that a filter is evaluated once a
-- publish, whatever the number of its subscribers, and never when reading.
create table audiences (
    audience_id bigint generated always as identity primary key,
    topic_id    bigint not null,
    filter      text   not null, -- '' lets everything through
    subscribers bigint not null default 0 check (subscribers >= 0)
);
create unique index audiences_by_filter on audiences (topic_id, md5(filter));

-- A user's subscription to a topic with unchanging rules, both ends exclusive.
create table periods (
    topic_id       bigint   not null,
    user_id        bigint   not null,
    from_position  bigint   not null,
    until_position bigint   not null default 9223372036854775807,
    since_position bigint   not null, -- where the subscription began, kept through changes
    audience_id    bigint   not null,
    min_severity   smallint not null,
    muted          boolean  not null, -- the user had muted the topic
    -- the lowest severity that gets through: none does while the topic is muted
    floor          smallint not null generated always as (case when muted then 127 else min_severity end) stored,
    primary key (topic_id, user_id, from_position),
    check (since_position <= from_position),
    check (from_position < until_position)
);
-- At most one open period of a user in an audience; and who was a member at a
-- recent position is one range, however many periods ended before it.
create unique index periods_by_end on periods (audience_id, until_position, user_id);
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
-- The few that may be hidden.
create index notifications_ends on notifications (position) where retracted_position is not null or expires_at is not null;

-- An audience that a notification reached, and which way it went: stored per
-- recipient in inbox, or joined with periods when read.
create table audience_targets (
    audience_id bigint  not null,
    position    bigint  not null,
    stored      boolean not null,
    primary key (audience_id, position)
);
create index audience_targets_by_position on audience_targets (position);
create index audience_targets_joined on audience_targets (audience_id, position) where not stored;

-- A user named by a notification; always stored in inbox as well.
create table user_targets (
    position bigint not null,
    user_id  bigint not null,
    primary key (position, user_id)
);

-- Fan-out on write: who has what, once each.
create table inbox (
    user_id  bigint  not null,
    position bigint  not null,
    ends     boolean not null, -- its notification expires, or was retracted
    primary key (user_id, position)
);
-- What counting must look up item by item.
create index inbox_ends on inbox (user_id, position) where ends;

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

-- How many marks a user has, so that counting need not.
create table tallies (
    user_id bigint primary key,
    away    bigint not null check (away >= 0), -- archived or deleted
    read    bigint not null check (read >= 0), -- read, of those not away
    seen    bigint not null check (seen >= 0)  -- seen, of those not away
);

-- What the streams of a user were told, for those that were away, and what the
-- marks were at any earlier position.
create table changes (
    user_id  bigint      not null,
    position bigint      not null,
    at       timestamptz not null,
    change   text        not null,
    ids      uuid[]      not null,
    through  bigint      not null, -- 0 where ids name the items
    primary key (user_id, position)
);

create table retractions (
    position              bigint primary key,
    notification_position bigint not null
);

create table preferences (
    user_id      bigint primary key,
    position     bigint not null, -- where they were set
    muted_topics text[] not null,
    settings     json   not null  -- the whole of events.Preferences
);

-- +goose Down
drop table preferences, retractions, changes, tallies, marks, inbox, user_targets, audience_targets, notifications, periods, audiences, topics,
    users, clock, projections;
