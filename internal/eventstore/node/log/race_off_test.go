//go:build !race

package eventlog_test

const raceDetector = false
