-- Targets come as lines: no name has a line break.
insert into notifications (
    position, id, targets, severity, title, body, data, sender, link, published_at, expires_at
)
select n.position, n.id, string_to_array(n.targets, e'\n'), n.severity, n.title, n.body, n.data::json,
       n.sender, n.link, n.published_at, n.expires_at
from unnest(
    $1::bigint[], $2::uuid[], $3::text[], $4::smallint[], $5::text[], $6::text[], $7::text[],
    $8::text[], $9::text[], $10::timestamptz[], $11::timestamptz[]
) as n (
    position, id, targets, severity, title, body, data, sender, link, published_at, expires_at
)
