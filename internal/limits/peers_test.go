package limits

import (
	"testing"
	"time"
)

func TestSharesGrowWhenEverybodyHasReadAndShrinkAtOnce(t *testing.T) {
	t.Parallel()
	begin := time.Unix(1000, 0)
	at := func(s int) time.Time { return begin.Add(time.Duration(s) * time.Second) }
	const others, floor = 100.0, 0.25
	for name, c := range map[string]struct {
		told []float64 // one report a second
		read []int     // up to when all others had read at each
		want float64
	}{
		"what nobody has read gives the floor":          {[]float64{900}, []int{0}, 0.25},
		"what some have read gives the floor":           {[]float64{900, 900, 900}, []int{0, 0, 0}, 0.25},
		"what was read at the very moment was not read": {[]float64{900, 900}, []int{0, 0}, 0.25},
		"what all have read gives its part":             {[]float64{900, 900}, []int{0, 1}, 0.9},
		"growth must be read too":                       {[]float64{100, 100, 900}, []int{0, 1, 2}, 0.5},
		"growth that was read":                          {[]float64{100, 100, 900, 900}, []int{0, 1, 2, 3}, 0.9},
		"less is less at once":                          {[]float64{900, 900, 25}, []int{0, 1, 2}, 0.2},
		"after less, more must be read anew":            {[]float64{900, 900, 50, 900}, []int{0, 1, 2, 2}, 50.0 / 150},
		"little asked for is not the floor":             {[]float64{25}, []int{0}, 0.2},
		"a flood told early is told again":              {[]float64{3, 900, 900}, []int{0, 0, 2}, 0.9},
	} {
		var cl claim
		for i, demand := range c.told {
			cl = cl.next(demand, at(i), at(c.read[i]))
		}
		if got, _ := cl.share(c.told[len(c.told)-1], others, floor); got != c.want {
			t.Errorf("%s: got a share of %v, want %v", name, got, c.want)
		}
	}
}

func TestNamesAreToldApartByTheirKind(t *testing.T) {
	t.Parallel()
	if nameOf("user-commands", "a") == nameOf("key-commands", "a") || nameOf("user-commands", "a") == nameOf("user-commands", "b") {
		t.Error("got the same for different holders")
	}
	name, read := nameOf("user-commands", "a"), Name{}
	text, err := name.MarshalText()
	if err != nil {
		t.Fatal(err)
	}
	if err := read.UnmarshalText(text); err != nil || read != name {
		t.Errorf("got %v, %v read of %s, want %v", read, err, text, name)
	}
	for _, text := range []string{"", "YQ", "!!!!!!!!!!!!!!!!!!!!!!"} {
		if err := read.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got a name, want it refused", text)
		}
	}
}
