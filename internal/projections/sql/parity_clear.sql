with differences as (
    delete from parity_differences
    where version = $1
)
delete from parity
where version = $1
