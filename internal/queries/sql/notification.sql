-- One notification, with how many users it reached as in recipients.sql.
-- $1 its id
select c.position,
       n.position, n.targets, n.severity, n.title, n.body, n.data, n.sender, n.link,
       n.published_at, n.expires_at, n.retracted_position is not null,
/* recipients */
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join notifications n on n.id = $1;
