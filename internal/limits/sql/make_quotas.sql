-- What subjects spent of their quotas, by UTC days since 1970.
create table if not exists limits.quotas (
    day     integer not null,
    subject bytea   not null check (length(subject) = 16),
    spent   bigint  not null check (spent >= 0),
    primary key (day, subject)
)
