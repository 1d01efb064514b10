package projections

// mark is one of the marks of a user's items, by the change that sets it.
type mark struct {
	user   *user
	change string
}

// opposites are the changes that take a mark off again.
var opposites = map[string]string{"read": "unread", "unread": "read", "archive": "unarchive", "unarchive": "archive"}

// sweep notes a change to everything up to a position, less what an earlier one
// in the batch covers already: reading "everything" a thousand times must not
// touch every item a thousand times.
func (f *fold) sweep(s sweep) {
	of := mark{s.user, s.change}
	s.above = f.covered[of].upto
	if s.upto <= s.above {
		return
	}
	f.covered[of] = s
	f.rows.swept = append(f.rows.swept, s)
}

// uncover forgets what earlier sweeps of the opposite change have covered: some
// of it is no longer as they left it.
func (f *fold) uncover(u *user, change string) {
	if opposite, ok := opposites[change]; ok {
		delete(f.covered, mark{u, opposite})
	}
}
