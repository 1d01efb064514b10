-- Notes, for whoever has one of these notifications stored, that it may be hidden.
update inbox i
set ends = true
from (
    select i.ctid
    from unnest($1::bigint[]) as r (position)
    cross join lateral (
        select u.user_id
        from user_targets u
        where u.position = r.position
        union
        select p.user_id
        from (
            select t.audience_id, t.stored from audience_targets t where t.position = r.position offset 0
        ) as t
        cross join lateral (
            select p.user_id
            from periods p
            where p.audience_id = t.audience_id
              and p.until_position > r.position
              and p.from_position < r.position
            offset 0
        ) as p
        where t.stored
        offset 0
    ) as m
    cross join lateral (
        select i.ctid, i.ends
        from inbox i
        where i.user_id = m.user_id
          and i.position = r.position
        offset 0
    ) as i
    where not i.ends
) as h
where i.ctid = h.ctid -- found already: nobody else writes
