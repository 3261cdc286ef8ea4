// Package devicecert verifies the certificate that a device shows when it connects: who issued it, by which provisioner, whether
// it is valid and not revoked now, and which device it names.
package devicecert

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"step-posture-connector/internal/certname"
	"step-posture-connector/internal/posture"
)

// Problem says why a certificate names no device. Code goes out; Err stays in the log, and has nothing that could harm it.
type Problem struct {
	Code posture.Code
	Err  error
}

func (p *Problem) Error() string { return fmt.Sprintf("%s: %v", p.Code, p.Err) }

func (p *Problem) Unwrap() error { return p.Err }

func problemf(code posture.Code, format string, args ...any) *Problem {
	return &Problem{code, fmt.Errorf(format, args...)}
}

func untrusted(format string, args ...any) *Problem {
	return problemf(posture.CertificateUntrusted, format, args...)
}

// Trust says whose certificates are those of devices. It never changes. The zero Trust trusts nobody.
type Trust struct {
	// Issuers must have signed a device's certificate themselves: one of an intermediate of theirs is not enough.
	Issuers []*x509.Certificate
	// Provisioners are the names of step-ca's provisioners that devices have their certificates from. AnyProvisioner is said
	// explicitly, because without it no provisioner is trusted.
	Provisioners   []string
	AnyProvisioner bool
	// Revoked says that a certificate is on a revocation list, given the raw name of its issuer; empty where it is on none. It
	// may be nil.
	Revoked func(issuer []byte, serial *big.Int) string

	// The names of Issuers as a RADIUS server states them, "" where one cannot be stated: made once, and not for each question.
	once  sync.Once
	lines []string
}

// stated is the name of an issuer as a RADIUS server states it.
func (t *Trust) stated(issuer int) (line string, ok bool) {
	t.once.Do(func() {
		for _, ca := range t.Issuers {
			line, ok := oneLine(ca.RawSubject)
			if !ok {
				line = ""
			}
			t.lines = append(t.lines, line)
		}
	})
	return t.lines[issuer], t.lines[issuer] != ""
}

// Check parses a certificate in DER, and verifies it at the time now. Of a certificate that an issuer has signed, and that is
// refused for another reason, it also returns what is shown: for the log alone.
func (t *Trust) Check(der []byte, now time.Time) (*Shown, *Problem) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, untrusted("the certificate cannot be read: %w", err)
	}
	if p := t.verify(cert, now); p != nil {
		return nil, p
	}
	shown, p := read(cert)
	if p != nil {
		return nil, p
	}
	if p := t.checkRevoked(cert.RawIssuer, cert.SerialNumber); p != nil {
		return shown, p
	}
	// Fail closed: with any provisioner too, an extension that cannot be read is not ignored.
	if p := t.checkProvisioner(shown, shown.hasProvisioner || !t.AnyProvisioner, missingExtension); p != nil {
		return shown, p
	}
	return shown, nil
}

const missingExtension = "the certificate does not say which provisioner of step-ca it is from: its extension is missing (claim disableSmallstepExtensions?)"

// verify checks everything that is said by the certificate's form, its signature and its issuer.
func (t *Trust) verify(cert *x509.Certificate, now time.Time) *Problem {
	switch {
	case cert.IsCA:
		return untrusted("the certificate is one of a CA")
	case !slices.Contains(cert.ExtKeyUsage, x509.ExtKeyUsageClientAuth):
		return untrusted("the extended key usage of the certificate lacks clientAuth")
	case now.Before(cert.NotBefore):
		return untrusted("the certificate is not valid before %s", utc(cert.NotBefore))
	case now.After(cert.NotAfter):
		return untrusted("the certificate expired at %s", utc(cert.NotAfter))
	}
	// crypto/x509 knows no permanentIdentifier, so a critical subjectAltName that has nothing else is unhandled to it; read
	// handles it.
	subjectAltName := func(id fmt.Stringer) bool { return id.String() == certname.SubjectAltName }
	handled := *cert
	handled.UnhandledCriticalExtensions = nil
	for _, id := range cert.UnhandledCriticalExtensions {
		if !subjectAltName(id) {
			handled.UnhandledCriticalExtensions = append(handled.UnhandledCriticalExtensions, id)
		}
	}
	if !slices.ContainsFunc(t.Issuers, func(issuer *x509.Certificate) bool { return bytes.Equal(issuer.RawSubject, cert.RawIssuer) }) {
		return untrusted("the certificate is of the issuer %.128q, and doors.issuers has %s", cert.Issuer, t.named())
	}
	roots := x509.NewCertPool()
	for _, issuer := range t.Issuers {
		roots.AddCert(issuer)
	}
	if _, err := handled.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return untrusted("no certificate in doors.issuers has signed the certificate: %w", err)
	}
	return nil
}

func (t *Trust) checkRevoked(issuer []byte, serial *big.Int) *Problem {
	if t.Revoked == nil {
		return nil
	}
	if list := t.Revoked(issuer, serial); list != "" {
		return untrusted("the certificate is revoked: %s", list)
	}
	return nil
}

// checkProvisioner compares the provisioner of a certificate. A certificate without one passes only where it is not required.
func (t *Trust) checkProvisioner(s *Shown, required bool, missing string) *Problem {
	switch {
	case !s.hasProvisioner && required:
		return untrusted("%s", missing)
	case !s.hasProvisioner, t.AnyProvisioner, slices.Contains(t.Provisioners, s.Names.Provisioner):
		return nil
	}
	return untrusted("the certificate is from the provisioner %.128q, and doors.provisioners has %.256q", s.Names.Provisioner, strings.Join(t.Provisioners, ", "))
}

// named names the issuers in a message.
func (t *Trust) named() string {
	var names []string
	for _, issuer := range t.Issuers {
		names = append(names, fmt.Sprintf("%.128q", issuer.Subject))
	}
	return strings.Join(names, ", ")
}

func utc(at time.Time) string { return at.UTC().Format(time.RFC3339) }
