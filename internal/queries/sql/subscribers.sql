-- Who was subscribed to a topic at a position, in the order of first appearance, so
-- that a page of a topic of any size is one index range.
-- $1 the topic, $2 only after this user or '', $3 how many, $4 the position, or the
-- highest there can be for now
select c.position, s.name, s.since_position, s.min_severity, s.filter, s.muted
from (select coalesce(max(position), 0) as position from projections where name = 'inbox') c
left join (
    select p.user_id, u.name, p.since_position, p.min_severity, a.filter, p.muted
    from periods p
    cross join lateral (select u.name from users u where u.user_id = p.user_id offset 0) u
    cross join lateral (select a.filter from audiences a where a.audience_id = p.audience_id offset 0) a
    where p.topic_id = (select topic_id from topics where name = $1)
      and p.from_position <= $4
      and p.until_position > $4
      and p.user_id > case when $2::text = '' then 0 else (select user_id from users where name = $2) end
    order by p.user_id
    limit $3
) s on true
order by s.user_id;
