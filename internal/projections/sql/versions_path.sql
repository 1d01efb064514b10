-- Whose tables names without a schema mean, until the transaction ends.
select set_config('search_path', $1, true)
