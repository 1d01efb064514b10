-- One row, also before the projection has begun.
select coalesce(max(position), 0),
       coalesce(max(store_id::text), '00000000-0000-0000-0000-000000000000')::uuid
from projections
where name = 'inbox';
