-- One leader per base schema, for as long as the session lives.
select pg_try_advisory_lock(hashtextextended(format('%I/versions', current_schema()), 0)), current_schema()::text
