-- One notification, with how many users it reached as in recipients.sql.
-- $1 its id
select c.position,
       n.position, n.targets, n.severity, n.title, n.body, n.data, n.sender, n.link,
       n.published_at, n.expires_at, n.retracted_position is not null,
       case
           when n.position is null then null
           when cardinality(n.targets) = 1 then (
               select count(*) from user_targets u where u.position = n.position
           ) + (
               select count(*)
               from topic_targets t
               join periods p on p.topic_id = t.topic_id
                             and p.from_position < t.position
                             and p.until_position > t.position
                             and p.min_severity <= n.severity
               where t.position = n.position
           )
           else (
               select count(*)
               from (
                   select u.user_id from user_targets u where u.position = n.position
                   union
                   select p.user_id
                   from topic_targets t
                   join periods p on p.topic_id = t.topic_id
                                 and p.from_position < t.position
                                 and p.until_position > t.position
                                 and p.min_severity <= n.severity
                   where t.position = n.position
               ) reached
           )
       end
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join notifications n on n.id = $1;
