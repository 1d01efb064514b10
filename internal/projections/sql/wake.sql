-- Wakes those who wait for a position; they also look by themselves.
select pg_notify('tidings_inbox', $1::text)
