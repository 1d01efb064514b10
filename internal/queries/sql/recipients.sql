-- How many users a notification reached, each once. With a single target nobody can
-- be reached twice, so that the members of a large topic need not be compared.
-- $1 the notification's id
select c.position,
/* recipients */
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join notifications n on n.id = $1;
