-- Whether retention lets a user's inbox reach down to a position.
-- $1 the user, $2 the time of the answer, $3 "for ever", $4 the position
with
/* kept */
select $4::bigint > (select above from kept);
