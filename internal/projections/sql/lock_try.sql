-- One runner per projection and schema, for as long as the session lives.
select pg_try_advisory_lock(hashtextextended(format('%I/%I', current_schema(), $1::text), 0))
