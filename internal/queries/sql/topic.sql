-- One topic.
-- $1 its name
select c.position, t.name, t.description, t.subscribers
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join topics t on t.name = $1;
