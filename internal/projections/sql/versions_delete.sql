with differences as (
    delete from parity_differences
    where version = $1
), report as (
    delete from parity
    where version = $1
)
delete from versions
where version = $1
