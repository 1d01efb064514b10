select kind, position, id, topic, text
from lines
order by kind, position desc, topic collate "C"
