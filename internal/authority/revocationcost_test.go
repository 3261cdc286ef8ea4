package authority

import (
	"math/big"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// BenchmarkLoadRevocations loads a list of 100,000 certificates with serial numbers as step-ca makes them.
func BenchmarkLoadRevocations(b *testing.B) {
	const many = 100_000
	root := testca.New(b, "Root")
	serials := make([]*big.Int, many)
	for i := range serials {
		serials[i] = new(big.Int).Lsh(big.NewInt(int64(i+1)), 100)
	}
	text := testca.ListPEM(root.List(b, 1, nil, serials...))
	cas := of(root)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readRevocations(text, cas, time.Now()); err != nil {
			b.Fatal(err)
		}
	}
}
