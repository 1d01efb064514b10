-- How far back the tables reach, and how long inboxes keep what they hold: one row,
-- also before the projection has begun.
select coalesce(max(position), 0), coalesce(max(events), 0), coalesce(max(complete_from), 0),
       greatest(max(complete_since), '0001-01-01 00:00:00+00'), -- time.Time knows no infinity
      
       coalesce(max(keep_seconds), 0), coalesce(max(keep_items), 0)
from projections
where name = 'inbox';
