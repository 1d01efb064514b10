-- Topics come as lines: no name has a line break.
insert into preferences as p (user_id, position, muted_topics, settings)
select user_id, position, string_to_array(muted_topics, e'\n'), settings::json
from unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) as n (user_id, position, muted_topics, settings)
on conflict (user_id) do update
set position     = excluded.position,
    muted_topics = excluded.muted_topics,
    settings     = excluded.settings
