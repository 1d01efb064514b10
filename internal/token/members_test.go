package token

import "testing"

// TestObjectsThatAreNone by the stricter rules that are ours.
func TestObjectsThatAreNone(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"nothing": "", "a list": "[]", "null": "null", "half of one": `{"a":1`, "two of them": "{}{}", "something after it": "{} x",
		"a name twice": `{"a":1,"a":2}`, "a name twice, once escaped": `{"a":1,"\u0061":2}`, "a name twice inside": `{"a":{"b":1,"b":1}}`,
		"a name twice in a list": `{"a":[1,{"b":1,"b":1}]}`, "no UTF-8": "{\"a\":\"\xff\"}",
	} {
		if got, err := readMembers([]byte(text)); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
	got, err := readMembers([]byte(` { "a" : [1, {"a":"x"}] , "A":-1e999,"b":{}} `))
	if err != nil || string(got["a"]) != `[1, {"a":"x"}]` || string(got["A"]) != "-1e999" || string(got["b"]) != "{}" || len(got) != 3 {
		t.Errorf("got %q, %v", got, err)
	}
}
