-- The inbox of performance.md among 10 M stored rows: u1 has 50 topics, of which
-- t1 to t5 are large and joined when read, and 10,000 notifications: 9,000 stored,
-- which are read, and 1,000 joined, which are not. u2 has read all of as many.
insert into projections (name, store_id, position) values ('inbox', gen_random_uuid(), 100000000);
insert into clock select g * 100, timestamptz '2026-03-01' + g * interval '1 second', g from generate_series(1, 200000) g;
insert into users (name) select 'u' || g from generate_series(1, 100000) g;
insert into topics (name) select 't' || g from generate_series(1, 2000) g;
insert into audiences (topic_id, filter) select g, '' from generate_series(1, 2000) g;
-- severities are 1 and above, so that a rule of "normal" must be looked at and lets all through
insert into periods (topic_id, user_id, from_position, since_position, audience_id, min_severity, muted)
select t, u, 1, 1, t, t % 2, false from generate_series(1, 5) t, generate_series(1, 100000) u;
insert into periods (topic_id, user_id, from_position, since_position, audience_id, min_severity, muted)
select 6 + (u * 31 + k * 7) % 1995, u, 1, 1, 6 + (u * 31 + k * 7) % 1995, k % 2, false
from generate_series(1, 100000) u, generate_series(0, 44) k where u <= 2 or k < 5;
insert into notifications
select g * 100, gen_random_uuid(), array['topic:t' || case when g % 200 = 0 then 1 + g / 200 % 5 else 6 + g % 1995 end], 1 + g % 3,
       'title ' || g, repeat('body ', 20), null, 'ci', '', timestamptz '2026-03-01' + g * interval '1 second', case when g % 100 = 1 then timestamptz '2027-03-01' end, null
from generate_series(1, 200000) g;
insert into audience_targets
select case when g % 200 = 0 then 1 + g / 200 % 5 else 6 + g % 1995 end, g * 100, 1 + g % 3, g % 200 <> 0 from generate_series(1, 200000) g;
insert into inbox
select case when k < 2 then k + 1 else 3 + (g * 7919 + k * 2039) % 99998 end, g * 100, g % 100 = 1
from generate_series(1, 200000) g, generate_series(0, 51) k
where g % 200 <> 0 and (k > 1 or g % 22 = 1);
insert into marks select user_id, position, now(), now(), null, null from inbox where user_id <= 2;
insert into marks select 2, position, now(), now(), null, null from audience_targets where not stored;
insert into tallies select user_id, 0, count(*), count(*) from marks group by user_id;
insert into changes select u, 20000000 + u, now(), 'read', '{}', 20000000 from generate_series(1, 2) u;
