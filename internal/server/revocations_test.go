package server

import (
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/authority"
	"step-posture-connector/internal/test/testca"
)

func (f Files) revoke(t *testing.T, parts ...[]byte) {
	t.Helper()
	if err := os.WriteFile(f.Revocations, testca.Joined(parts...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A list may not go back, and may not vanish while its CA is trusted; the previous one counts meanwhile.
func TestRevocationsFollow(t *testing.T) {
	t.Parallel()
	root, other := testca.New(t, "Root"), testca.New(t, "Other")
	one, two, three := big.NewInt(1), big.NewInt(2), big.NewInt(3)
	f := files(t)
	f.Revocations = f.ClientCA + ".crl"
	f.pair(t, root, time.Time{})
	f.trust(t, root, other)
	f.revoke(t, testca.ListPEM(root.List(t, 5, nil, one)), testca.ListPEM(other.List(t, 1, nil, one)))
	identity := NewTLS(f, nil)
	load(t, identity)
	step := func(what string, entries int, wrong []authority.Role, parts ...[]byte) {
		t.Helper()
		f.revoke(t, parts...)
		load(t, identity, wrong...)
		if got := identity.Revoked(); got != entries {
			t.Errorf("%s: %d entries are in effect, want %d", what, got, entries)
		}
	}
	refused := []authority.Role{Revocations}
	ofOther := testca.ListPEM(other.List(t, 1, nil, one))
	step("a lower number", 2, refused, testca.ListPEM(root.List(t, 4, nil)), ofOther)
	step("the same number", 3, nil, testca.ListPEM(root.List(t, 5, nil, one, two)), ofOther)
	step("a higher number", 4, nil, testca.ListPEM(root.List(t, 256, nil, one, two, three)), ofOther)
	step("one list of two", 4, refused, testca.ListPEM(root.List(t, 257, nil)))
	step("broken", 4, refused, []byte("-----BEGIN X509 CRL-----\n"))
	f.trust(t, root)
	step("the CA of the other was removed, its list not", 4, refused, testca.ListPEM(root.List(t, 258, nil)), ofOther)
	if slices.ContainsFunc(identity.current.Load().rules.clientCAs.All(), other.Certificate.Equal) {
		t.Error("a list that can no longer be verified keeps its CA")
	}
	step("both were removed", 0, nil, testca.ListPEM(root.List(t, 258, nil)))

	f.write(t, f.Certificate, "CERTIFICATE")
	f.revoke(t, testca.ListPEM(root.List(t, 259, nil, one)))
	load(t, identity, Certificate)
	if got := identity.Revoked(); got != 1 {
		t.Errorf("a broken certificate stops a new list: %d entries, want 1", got)
	}
	load(t, NewTLS(Files{f.Certificate, f.PrivateKey, f.ClientCA, ""}, nil), Certificate)
}

// A list that should have been replaced is reported, and goes on counting.
func TestOverdue(t *testing.T) {
	t.Parallel()
	root := testca.New(t, "Root")
	f := files(t)
	f.Revocations = f.ClientCA + ".crl"
	f.pair(t, root, time.Time{})
	f.trust(t, root)
	f.revoke(t, testca.ListPEM(root.List(t, 5, nil, big.NewInt(1))))
	identity := NewTLS(f, nil)
	load(t, identity)
	next := identity.NextUpdate()
	if got := identity.Overdue(next); got != "" {
		t.Errorf("when it is due: %q", got)
	}
	want := `the list of "Root" should have been replaced by ` + next.UTC().Format(time.RFC3339)
	if got := identity.Overdue(next.Add(time.Second)); got != want {
		t.Errorf("Overdue() = %q, want %q", got, want)
	}
	warnings := identity.Warnings(next.Add(time.Second))
	if len(warnings) == 0 || !strings.HasPrefix(warnings[len(warnings)-1], "TLS_CRL_PATH: "+want) {
		t.Errorf("the warnings are %q", warnings)
	}
	if got := identity.DescribeLists(); !strings.Contains(got, `"Root", CRL number 5, of `) || !strings.HasSuffix(got, ", 1 entry") {
		t.Errorf("DescribeLists() = %q", got)
	}
}
