update versions
set serving = false
where serving
