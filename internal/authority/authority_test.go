package authority

import (
	"crypto/x509"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/testca"
)

// written is a file of the doors.
func written(t *testing.T, setting string, parts ...[]byte) File {
	t.Helper()
	f := File{Role: "file of " + Role(setting), Setting: setting, Path: filepath.Join(t.TempDir(), "file"), Wanted: "the certificate of the CA that issues them"}
	if err := os.WriteFile(f.Path, testca.Joined(parts...), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func issuersIn(t *testing.T, parts ...[]byte) *Authorities {
	t.Helper()
	issuers, err := LoadAuthorities(written(t, "doors.issuers", parts...), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return issuers
}

func listsIn(t *testing.T, issuers *Authorities, parts ...[]byte) *Revocations {
	t.Helper()
	lists, err := LoadRevocations(written(t, "doors.crl", parts...), issuers, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return lists
}

func TestLoadAuthorities(t *testing.T) {
	t.Parallel()
	root, other := testca.New(t, "Root"), testca.New(t, "Other")
	a := issuersIn(t, root.PEM(), other.PEM(), root.PEM())
	if got := a.All(); len(got) != 2 || !got[0].Equal(root.Certificate) || !got[1].Equal(other.Certificate) {
		t.Errorf("it has %d certificates, want those of root and other", len(got))
	}
	if leaf, _ := other.Issue(t, &x509.Certificate{}); leaf != nil {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
			t.Errorf("a certificate of one of them: %v", err)
		}
	}
	if !a.Equal(issuersIn(t, other.PEM(), root.PEM())) || a.Equal(issuersIn(t, root.PEM())) || a.Equal(nil) || !(*Authorities)(nil).Equal(nil) {
		t.Error("Equal() compares more or less than the certificates")
	}
	if got := a.String(); !strings.HasPrefix(got, `"Root", expires `) || !strings.Contains(got, `; "Other", expires `) {
		t.Errorf("String() = %q", got)
	}
	if got := (*Authorities)(nil).All(); got != nil {
		t.Errorf("nil has %d certificates", len(got))
	}
}

// A fault names its file, the setting, and nothing of another listener.
func TestLoadAuthoritiesRefuses(t *testing.T) {
	t.Parallel()
	root := testca.New(t, "Root")
	leaf, _ := root.Issue(t, &x509.Certificate{DNSNames: []string{"device"}})
	expired := root.Intermediate(t, "Expired", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	missing := written(t, "doors.issuers")
	missing.Path += "-none"
	for _, test := range []struct {
		what string
		file File
		want string
	}{
		{"no CA", written(t, "doors.issuers", testca.PEM("CERTIFICATE", leaf.Raw)), "which is replaced every day; the certificate of the CA that issues them is wanted"},
		{"only an expired one", written(t, "doors.issuers", expired.PEM()), `it has no CA certificate that can be used: "Expired" expired at `},
		{"empty", written(t, "doors.issuers"), "it has no PEM certificate"},
		{"a list", written(t, "doors.issuers", testca.ListPEM(root.List(t, 1, nil))), "it has no PEM certificate, but a revocation list"},
		{"no file", missing, ""},
		{"no path", File{Setting: "doors.issuers"}, ""},
	} {
		a, err := LoadAuthorities(test.file, time.Now())
		inFile := (*FileError)(nil)
		if a != nil || !errors.As(err, &inFile) || inFile.Setting != "doors.issuers" || inFile.Path != test.file.Path || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: LoadAuthorities() = %v, want a FileError of doors.issuers with %q", test.what, err, test.want)
		}
		if test.want == "" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: LoadAuthorities() = %v, want that it does not exist", test.what, err)
		}
	}
	some := issuersIn(t, root.PEM(), expired.PEM())
	if got := some.Warnings(time.Now()); len(got) != 1 || !strings.HasPrefix(got[0], `doors.issuers: "Expired" expired at `) {
		t.Errorf("Warnings() = %q, want one about Expired", got)
	}
}

// Without a certificate, the name of the issuer and the serial number are enough, and count only together.
func TestFindSerial(t *testing.T) {
	t.Parallel()
	root, other := testca.New(t, "Root"), testca.New(t, "Other")
	leaf, _ := root.Issue(t, &x509.Certificate{})
	lists := listsIn(t, issuersIn(t, root.PEM(), other.PEM()), testca.ListPEM(root.List(t, 7, nil, leaf.SerialNumber)))
	found := lists.FindSerial(root.Certificate.RawSubject, leaf.SerialNumber)
	want := "its serial number " + leaf.SerialNumber.String() + ` is on the list of "Root" in doors.crl, CRL number 7`
	if found == nil || found.String() != want || found.Certificate != nil {
		t.Fatalf("FindSerial() = %v, want %q", found, want)
	}
	if found = lists.Find([][]*x509.Certificate{nil, {root.Certificate}, {leaf, root.Certificate}}); found == nil || found.String() != want || found.Certificate != leaf {
		t.Errorf("Find() = %v, want %q", found, want)
	}
	if found = lists.Find([][]*x509.Certificate{{root.Certificate}}); found != nil {
		t.Errorf("Find() of the root = %v", found)
	}
	for what, found := range map[string]*Revocation{
		"another issuer":        lists.FindSerial(other.Certificate.RawSubject, leaf.SerialNumber),
		"another serial number": lists.FindSerial(root.Certificate.RawSubject, big.NewInt(1)),
		"one below zero":        lists.FindSerial(root.Certificate.RawSubject, new(big.Int).Neg(leaf.SerialNumber)),
		"no lists":              (*Revocations)(nil).FindSerial(root.Certificate.RawSubject, leaf.SerialNumber),
	} {
		if found != nil {
			t.Errorf("%s: FindSerial() = %v, want nil", what, found)
		}
	}
}

// A CA has no list when another CA of its name has one, or when its own names CAs only.
func TestWithout(t *testing.T) {
	t.Parallel()
	root, twin, other := testca.New(t, "Root"), testca.New(t, "Root"), testca.New(t, "Other")
	issuers := issuersIn(t, root.PEM(), twin.PEM(), other.PEM())
	ofRoot, ofTwin := testca.ListPEM(root.List(t, 1, nil)), testca.ListPEM(twin.List(t, 1, nil))
	casOfOther, usersOfOther := testca.ListPEM(other.List(t, 1, point(0x82, 1, 0xff))), testca.ListPEM(other.List(t, 1, point(0x81, 1, 0xff)))
	for _, test := range []struct {
		what  string
		lists *Revocations
		want  []*x509.Certificate
	}{
		{"no lists", nil, issuers.All()},
		{"one of three", listsIn(t, issuers, ofRoot), []*x509.Certificate{twin.Certificate, other.Certificate}},
		{"one of CAs only", listsIn(t, issuers, ofRoot, ofTwin, casOfOther), []*x509.Certificate{other.Certificate}},
		{"one in two parts", listsIn(t, issuers, ofRoot, ofTwin, casOfOther, usersOfOther), nil},
	} {
		if got := test.lists.Without(issuers); !slices.EqualFunc(got, test.want, (*x509.Certificate).Equal) {
			t.Errorf("%s: %d CAs have no list, want %d", test.what, len(got), len(test.want))
		}
	}
	if got := listsIn(t, issuers, ofRoot).Without(nil); got != nil {
		t.Errorf("of no CAs, %d have no list", len(got))
	}
}

// Messages name the settings that the files were loaded for.
func TestSettings(t *testing.T) {
	t.Parallel()
	root, stranger := testca.New(t, "Root"), testca.New(t, "Stranger")
	issuers := issuersIn(t, root.PEM())
	for want, parts := range map[string][][]byte{
		`the certificate of its issuer, "Stranger", is neither in doors.issuers nor in the file`:      {testca.ListPEM(stranger.List(t, 1, nil))},
		`the certificate of its issuer, "Stranger", does not chain to a CA in doors.issuers`:          {testca.ListPEM(stranger.List(t, 1, nil)), stranger.PEM()},
		`line 1: a private key begins here; only revocation lists, and certificates of their issuers`: {testca.PEM("PRIVATE KEY", []byte("key"))},
	} {
		lists, err := LoadRevocations(written(t, "doors.crl", parts...), issuers, nil, time.Now())
		inFile := (*FileError)(nil)
		if lists != nil || !errors.As(err, &inFile) || inFile.Setting != "doors.crl" || !strings.Contains(err.Error(), want) {
			t.Errorf("LoadRevocations() = %v, want %q", err, want)
		}
	}
	overdue := listsIn(t, issuers, testca.ListPEM(root.List(t, 2, func(l *x509.RevocationList) { l.ThisUpdate, l.NextUpdate = time.Unix(1, 0), time.Unix(2, 0) })))
	if got := overdue.Warnings(time.Now()); len(got) != 1 || !strings.HasPrefix(got[0], `doors.crl: the list of "Root" should have been replaced by 1970-01-01T00:00:02Z; it goes on counting`) {
		t.Errorf("Warnings() = %q", got)
	}
	if _, err := LoadRevocations(written(t, "doors.crl", testca.ListPEM(root.List(t, 1, nil))), issuers, overdue, time.Now()); err == nil || !strings.Contains(err.Error(), "CRL number 1, which is lower than 2") {
		t.Errorf("an older list: %v, want an error", err)
	}
	none := (*Revocations)(nil)
	if none.String() != "" || none.Overdue(time.Now()) != "" || none.Warnings(time.Now()) != nil || none.Entries() != 0 || !none.NextUpdate().IsZero() || none.Find([][]*x509.Certificate{{root.Certificate}}) != nil {
		t.Error("nil is not empty")
	}
}
