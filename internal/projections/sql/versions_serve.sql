update versions
set serving = true,
    served  = true
where version = $1
