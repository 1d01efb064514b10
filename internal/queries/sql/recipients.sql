-- How many users a notification reached, each once. With a single target nobody can
-- be reached twice, so that the members of a large topic need not be compared.
-- $1 the notification's id
select c.position,
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
