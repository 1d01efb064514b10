-- Notes, for whoever has one of these notifications stored, that it may be hidden.
update inbox i
set ends = true
from (
    select u.user_id, u.position
    from unnest($1::bigint[]) as r (position)
    join user_targets u on u.position = r.position
    union
    select p.user_id, t.position
    from unnest($1::bigint[]) as r (position)
    join audience_targets t on t.position = r.position
                           and t.stored
    join periods p on p.audience_id = t.audience_id
                  and p.until_position > t.position
                  and p.from_position < t.position
) as h
where i.user_id = h.user_id
  and i.position = h.position
  and not i.ends
