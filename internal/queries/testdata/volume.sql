-- A million stored rows, so that the planner minds: 20,000 users, 500 topics of which
-- five are large and joined when read, 20,000 notifications. u1 is the user of
-- performance.md: 50 topics, 10,000 notifications of which 1,000 are joined and
-- unread, the others read; u2 has read all of as many.
insert into projections (name, store_id, position, latest_at, events)
values ('inbox', gen_random_uuid(), 100000000, timestamptz '2026-03-02', 100000);
insert into clock select g * 100, timestamptz '2026-03-01' + g * interval '1 second', g from generate_series(1, 20000) g;
insert into users (name) select 'u' || g from generate_series(1, 20000) g;
insert into topics (name) select 't' || g from generate_series(1, 500) g;
insert into audiences (topic_id, filter) select g, '' from generate_series(1, 500) g;
insert into audiences (topic_id, filter, digest, subscribers) select g, 'false', 'x', 1 from generate_series(1, 500) g;
insert into periods (topic_id, user_id, from_position, since_position, audience_id, min_severity, muted)
select t, u, 1, 1, t, t % 2, false from generate_series(1, 5) t, generate_series(1, 20000) u;
insert into periods (topic_id, user_id, from_position, since_position, audience_id, min_severity, muted)
select 6 + k, u, 1, 1, 6 + k, k % 2, false from generate_series(1, 2) u, generate_series(0, 44) k;
insert into periods (topic_id, user_id, from_position, until_position, since_position, audience_id, min_severity, muted)
select 51 + u * 7 % 450, u, 2 + k * 500000, case k when 3 then 9223372036854775807 else 2 + (k + 1) * 500000 end, 2,
       51 + u * 7 % 450 + k % 2 * 500, k % 4, k % 3 = 0
from generate_series(3, 20000) u, generate_series(0, 3) k;
insert into notifications
select g * 100, gen_random_uuid(), array['topic:t' || case when g % 20 = 0 then 1 + g / 20 % 5 else 6 + g % 495 end], 1 + g % 3,
       'title ' || g, repeat('body ', 20), null, 'ci', '', timestamptz '2026-03-01' + g * interval '1 second',
       case when g % 100 = 1 then timestamptz '2027-03-01' end, case when g % 100 = 3 then g * 100 + 1 end
from generate_series(1, 20000) g;
insert into audience_targets
select case when g % 20 = 0 then 1 + g / 20 % 5 else 6 + g % 495 end, g * 100, 1 + g % 3, g % 20 <> 0 from generate_series(1, 20000) g;
insert into user_targets select g * 100, g % 20000 + 1 from generate_series(1, 20000) g;
insert into inbox
select case when k < 2 then k + 1 else 3 + (g * 7919 + k * 379) % 19998 end, g * 100, g % 100 in (1, 3)
from generate_series(1, 20000) g, generate_series(0, 54) k
where g % 20 <> 0 and (k > 1 or g * 9 % 19 < 9);
insert into marks select user_id, position, now(), now(), null, null from inbox where user_id <= 2 or position % 900 = 0;
insert into marks select 2, position, now(), now(), null, null from audience_targets where not stored;
insert into tallies select user_id, 0, count(*), count(*) from marks group by user_id;
insert into retractions select retracted_position, position from notifications where retracted_position is not null;
insert into changes select g % 20000 + 1, g * 50, timestamptz '2026-03-01' + g * interval '1 second', 'read', array[gen_random_uuid()], 0 from generate_series(1, 40000) g;
insert into changes select 1 + g % 2, g * 101, timestamptz '2026-03-01' + g * interval '1 second', 'read', array[]::uuid[], g * 101 from generate_series(1, 200) g;
insert into preferences select g, 1, array['t9'], '{}' from generate_series(1, 20000) g;
analyze;
