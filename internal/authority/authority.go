// Package authority reads the certificates of CAs, and the lists of what they have revoked, from files.
package authority

import (
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Role says what a file is for, such as "client CA bundle".
type Role string

// File is one of certificates, of a key, or of revocation lists.
type File struct {
	Role    Role
	Setting string // what names the file in the configuration, such as TLS_CA_PATH; for messages
	Path    string
	Wanted  string // which CA certificates belong into it, such as "the root of the CA"; for messages
}

// wrong makes a *FileError.
func (f File) wrong(err error) error { return &FileError{f, err} }

// FileError is the fault of one file. It has nothing of the file's contents.
type FileError struct {
	File

	Err error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s %s: %v", e.Role, e.Path, e.Err) }

func (e *FileError) Unwrap() error { return e.Err }

// Authorities are CAs whose certificates are accepted.
type Authorities struct {
	file File
	pool *x509.CertPool
	list []*x509.Certificate
}

// LoadAuthorities reads the CA certificates that others must chain to; one of them at least can be used at the time now.
// Its error is a *FileError.
func LoadAuthorities(file File, now time.Time) (*Authorities, error) {
	certificates, err := LoadCertificates(file)
	if err != nil {
		return nil, err
	}
	found := &Authorities{file: file, pool: x509.NewCertPool()}
	usable := false
	for _, c := range certificates {
		found.pool.AddCert(c.Certificate)
		if !slices.ContainsFunc(found.list, c.Equal) {
			found.list = append(found.list, c.Certificate)
		}
		usable = usable || found.wrongWith(c.Certificate, now) == ""
	}
	if usable {
		return found, nil
	}
	// Every certificate would be refused: that cannot be meant.
	first := certificates[0].Certificate
	return nil, file.wrong(fmt.Errorf("it has no CA certificate that can be used: %s %s", NameOf(first), found.wrongWith(first, now)))
}

// Equal reports whether both accept the same certificates; nil requires none.
func (a *Authorities) Equal(b *Authorities) bool {
	return a == b || a != nil && b != nil && a.pool.Equal(b.pool)
}

// All returns the certificates, each once; of nil none.
func (a *Authorities) All() []*x509.Certificate {
	if a == nil {
		return nil
	}
	return a.list
}

// Pool has all of them, also those that cannot be used now.
func (a *Authorities) Pool() *x509.CertPool { return a.pool }

// String lists the CAs, at most maxListed, with the day they expire.
func (a *Authorities) String() string {
	var names []string
	for i, ca := range a.All() {
		if i == maxListed {
			names = append(names, fmt.Sprintf("and %d more", len(a.list)-maxListed))
			break
		}
		names = append(names, NameOf(ca)+", expires "+ca.NotAfter.UTC().Format(time.DateOnly))
	}
	return strings.Join(names, "; ")
}

// Warnings says which of them cannot be used at the time now.
func (a *Authorities) Warnings(now time.Time) (found []string) {
	for _, ca := range a.All() {
		if wrong := a.wrongWith(ca, now); wrong != "" {
			found = append(found, a.file.Setting+": "+NameOf(ca)+" "+wrong)
		}
	}
	return found
}

// wrongWith says why no certificate of this CA can be accepted.
func (a *Authorities) wrongWith(ca *x509.Certificate, now time.Time) string {
	const x509v3 = 3
	switch {
	case ca.BasicConstraintsValid && !ca.IsCA, ca.Version >= x509v3 && !ca.BasicConstraintsValid,
		ca.KeyUsage != 0 && ca.KeyUsage&x509.KeyUsageCertSign == 0:
		return "is no CA certificate but one of a server or client, such as step-ca's own, which is replaced every day; " + a.file.Wanted + " is wanted"
	case now.After(ca.NotAfter):
		return "expired at " + ca.NotAfter.UTC().Format(time.RFC3339) + ", so the client certificates that it issued are refused"
	case now.Before(ca.NotBefore):
		return "is not valid before " + ca.NotBefore.UTC().Format(time.RFC3339)
	}
	return ""
}
