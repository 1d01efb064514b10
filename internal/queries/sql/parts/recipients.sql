       case
           when n.position is null then null
           when cardinality(n.targets) = 1 then (
               select count(*) from user_targets u where u.position = n.position
           ) + (
               select count(*)
               from audience_targets t
               join periods p on p.audience_id = t.audience_id
                             and p.from_position < t.position
                             and p.until_position > t.position
                             and p.floor <= t.severity
               where t.position = n.position
           )
           else (
               select count(*)
               from (
                   select u.user_id from user_targets u where u.position = n.position
                   union
                   select p.user_id
                   from audience_targets t
                   join periods p on p.audience_id = t.audience_id
                                 and p.from_position < t.position
                                 and p.until_position > t.position
                                 and p.floor <= t.severity
                   where t.position = n.position
               ) reached
           )
       end
