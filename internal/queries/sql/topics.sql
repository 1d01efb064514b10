-- All topics by name.
-- $1 only topics after this one, $2 how many
select c.position, t.name, t.description, t.subscribers
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join (
    select name, description, subscribers
    from topics
    where name > $1
    order by name
    limit $2
) t on true
order by t.name;
