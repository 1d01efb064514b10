package main

import (
	"slices"
	"testing"
)

func TestBenchmarksAreRead(t *testing.T) {
	t.Parallel()
	all, err := parseBenchmarks([]byte(`goos: linux
BenchmarkFanOut-2   	       1	1200000 ns/op	         0.8100 ratio	    160000 rows/s
BenchmarkFanOut-2   	       1	1300000 ns/op	         0.7900 ratio	    150000 rows/s
    bench_test.go:1: a remark
BenchmarkPage/newest-2	    1000	      1500 ns/op
PASS
`))
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d benchmarks, %v, want 2", len(all), err)
	}
	if got := all[0]; got.name != "BenchmarkFanOut" || !slices.Equal(got.units, []string{"ratio", "rows/s"}) ||
		!slices.Equal(got.metrics["rows/s"], []float64{160000, 150000}) {
		t.Errorf("got %+v", got)
	}
	if got := all[1]; got.name != "BenchmarkPage/newest" || !slices.Equal(got.metrics["ns/op"], []float64{1500}) {
		t.Errorf("got %+v", got)
	}
	if _, err := parseBenchmarks([]byte("BenchmarkX-2 1 12 ns/op 3")); err == nil {
		t.Error("a line that is cut short was read")
	}
}
