-- One that comes back just now is left alone, and not waited for.
delete from limits.instances
where instance in (
    select instance
    from limits.instances
    where beat < statement_timestamp() - interval '1 minute'
    for update skip locked
)
