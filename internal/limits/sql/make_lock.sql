-- One maker at a time.
select pg_advisory_xact_lock(hashtextextended('limits/make', 0))
