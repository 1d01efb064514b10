-- Enough rows that the planner minds: 2,000 users, 500 topics of which two are large
-- and joined when read, 20,000 notifications, 160,000 stored rows; u1 has much of all.
insert into projections (name, store_id, position) values ('inbox', gen_random_uuid(), 100000000);
insert into users (name) select 'u' || g from generate_series(1, 2000) g;
insert into topics (name) select 't' || g from generate_series(1, 500) g;
insert into periods
select t, u, 1, 9223372036854775807, 1, u % 4 from generate_series(1, 2) t, generate_series(1, 2000) u;
insert into periods
select 3 + u * 7 % 498, u, 2 + k * 200000, case k when 9 then 9223372036854775807 else 2 + (k + 1) * 200000 end, 2, k % 4
from generate_series(1, 2000) u, generate_series(0, 9) k;
insert into notifications
select g * 100, gen_random_uuid(), array['topic:t' || g % 500 + 1], g % 4, 'title ' || g, repeat('body ', 20), null, 'ci', '',
       now(), case when g % 20 = 0 then now() + interval '1 hour' end, case when g % 50 = 0 then g * 100 + 1 end
from generate_series(1, 20000) g;
insert into topic_targets select g % 500 + 1, g * 100, g % 500 > 1 from generate_series(1, 20000) g;
insert into user_targets select g * 100, g % 2000 + 1 from generate_series(1, 20000) g;
insert into inbox select u, (k * 280 - u % 280) * 100 from generate_series(2, 2000) u, generate_series(1, 71) k;
insert into inbox select 1, g * 100 from generate_series(1, 20000) g where g % 500 > 1;
insert into marks select user_id, position, now(), now(), null, null from inbox where user_id = 1 or position % 300 = 0;
insert into retractions select retracted_position, position from notifications where retracted_position is not null;
insert into changes select g % 2000 + 1, g * 50, 'read', array[gen_random_uuid()], 0 from generate_series(1, 40000) g;
analyze;
