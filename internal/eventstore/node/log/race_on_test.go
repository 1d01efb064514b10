//go:build race

package eventlog_test

// raceDetector makes everything some ten times slower, the storage engine's own checks included: the large tests do less under it.
const raceDetector = true
