package token

import "testing"

// BenchmarkVerify is what a token costs that is not remembered from before.
func BenchmarkVerify(b *testing.B) {
	v := verifying(b, Options{})
	for _, algorithm := range []string{HS256, RS256, ES256, EdDSA} {
		token := signed(b, ours[algorithm], nil, everyday(members{"scope": "publish inbox", "topics": []string{"builds.*"}}))
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(b.Context(), token); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
