-- The statements that have the views in the base schema $1 show the tables of the
-- schema $2; with $3 only those whose columns are not what they should be. Whoever
-- reads in several statements asks for the checkpoint first, so its view is the
-- first to be locked here too: nobody sees some old views and some new ones.
with base as (
    select c.oid, c.relname, c.relkind
    from pg_class c
    where c.relnamespace = quote_ident($1)::regnamespace
), version as (
    select c.oid, c.relname
    from pg_class c
    where c.relnamespace = quote_ident($2)::regnamespace
      and c.relkind in ('r', 'p')
      and c.relname <> 'goose_db_version'
), ours as (
    -- Views of one of our versions' tables, and named as it.
    select b.oid, b.relname
    from base b
    join pg_rewrite r on r.ev_class = b.oid
    join pg_depend d on d.classid = 'pg_rewrite'::regclass
                    and d.objid = r.oid
                    and d.refclassid = 'pg_class'::regclass
    join pg_class t on t.oid = d.refobjid
                   and t.relname = b.relname
    join pg_namespace s on s.oid = t.relnamespace
                       and starts_with(s.nspname, $1 || '_inbox_')
    where b.relkind = 'v'
    group by b.oid, b.relname
), columns as (
    select a.attrelid, array_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)) order by a.attnum) as names
    from pg_attribute a
    where a.attnum > 0
      and not a.attisdropped
      and a.attrelid in (select oid from base union all select oid from version)
    group by a.attrelid
), steps as (
    -- Tables that stood in the base schema before there were versions.
    select v.relname, 1 as step, format('drop table %I.%I', $1, v.relname) as statement
    from version v
    join base b on b.relname = v.relname and b.relkind in ('r', 'p')
    union all
    select b.relname, 1, format('drop table %I.%I', $1, b.relname)
    from base b
    where b.relkind = 'r'
      and b.relname in ('goose_db_version', 'topic_targets')
    union all
    -- Views of what is there no more, or has other columns now.
    select b.relname, 1, format('drop view %I.%I', $1, b.relname)
    from ours b
    left join version v on v.relname = b.relname
    where v.oid is null
       or (select names from columns where attrelid = v.oid) <> (select names from columns where attrelid = b.oid)
    union all
    select v.relname, 2, format('create or replace view %I.%I as select * from %I.%I', $1, v.relname, $2, v.relname)
    from version v
    left join base b on b.relname = v.relname and b.relkind = 'v'
    where not $3
       or b.oid is null
       or (select names from columns where attrelid = v.oid) <> (select names from columns where attrelid = b.oid)
)
select statement
from steps
order by relname <> 'projections', relname, step
