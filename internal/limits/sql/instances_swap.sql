-- The beat is the statement's begin, which is before what it reads: so an instance
-- with a later beat than that at which a row could be read has read the row.
with told as (
    insert into limits.instances as i (instance, beat, busy, cut)
    values ($1, statement_timestamp(), $2, $3)
    on conflict (instance) do update
    set beat = excluded.beat,
        busy = excluded.busy,
        cut  = excluded.cut
    returning beat
)
select t.beat, i.beat, i.busy, i.cut
from told t
left join limits.instances i on i.instance <> $1
                            and i.beat > t.beat - interval '4 seconds'
