-- What has been hidden for long. $1 the projection, $2 how far back the tables
-- are to answer.
--
-- They never answer for a time after that of the last event here, so that nothing
-- an earlier answer needs is deleted while old events are folded anew.
select b.since,
       b.settled, -- no event up to here came after "since", so that all of them had effect then
       case when p.keep_seconds = 0 then 0
            else coalesce((
                select c.position - 1
                from clock c
                where c.at > b.since - p.keep_seconds * interval '1 second'
                order by c.at, c.position
                limit 1
            ), b.settled)
       end as aged, -- up to here all items were too old then
       p.keep_items,
       coalesce((select c.position from clock c where c.at > b.since order by c.at, c.position limit 1), p.position) as complete_from
from projections p
cross join lateral (
    select least($2::timestamptz, p.latest_at) as since
) l
cross join lateral (
    select l.since,
           coalesce((select c.position from clock c where c.at <= l.since order by c.at desc, c.position desc limit 1), 0) as settled
) b
where p.name = $1
  and p.latest_at is not null
