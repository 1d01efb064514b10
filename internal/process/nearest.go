package process

import "slices"

// nearest is the name that was probably meant by one that nothing has; "" where none
// is near enough to ask.
func nearest(name string, among []string) string {
	best, least := "", max(2, len(name)/4)+1 // a typo or two, more of them in a long name
	for _, candidate := range slices.Sorted(slices.Values(among)) {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

// distance is how many characters must be added, taken away or changed to make one
// word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // for the beginning of a that was looked at
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := before
			if a[i] != b[j] {
				changed++
			}
			before = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
