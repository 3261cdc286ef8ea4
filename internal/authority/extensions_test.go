package authority

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
)

func critical(id int) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, id}, Critical: true, Value: []byte{5, 0}})
	}
}

// point adds an issuing distribution point with these fields.
func point(fields ...byte) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		value := append([]byte{0x30, byte(len(fields))}, fields...)
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oid(idIssuingDistributionPoint), Critical: true, Value: value})
	}
}

// entryExtension adds an extension to the first entry.
func entryExtension(e pkix.Extension) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{e}
	}
}

// forged changes a byte of what was signed.
func forged(der []byte) []byte {
	der = append([]byte{}, der...)
	der[len(der)/2] ^= 1
	return der
}
