package device

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"

	"github.com/google/go-tpm/legacy/tpm2"
	"github.com/google/go-tpm/tpmutil"
)

const (
	coseRS256 = -257 // RSA with SHA-256, in numbers of COSE
	// attestationKeyBits is the size of a TPM's attestation key.
	attestationKeyBits = 2048
	// tpmGenerated begins what only a TPM can sign with an attestation key.
	tpmGenerated = 0xff544347
)

// MakeTPM returns a machine with a TPM, which attests with the format tpm. It orders for the identifier claimed. The
// certificate of its attestation key has the given identifiers; without any, step-ca compares claimed with nothing.
func (m *Manufacturer) MakeTPM(claimed string, identifiers ...string) (*Device, error) {
	d, err := m.Make(claimed, "")
	if err != nil {
		return nil, err
	}
	attestationKey, err := rsa.GenerateKey(rand.Reader, attestationKeyBits)
	if err != nil {
		return nil, fmt.Errorf("make attestation key: %w", err)
	}
	names, err := attestationKeyNames(identifiers)
	if err != nil {
		return nil, fmt.Errorf("encode names of attestation key: %w", err)
	}
	certificate, err := m.certify(attestationKey.Public(), &x509.Certificate{
		// Of TCG: the key attests other keys of a TPM.
		UnknownExtKeyUsage: []asn1.ObjectIdentifier{{2, 23, 133, 8, 3}},
		// The subject must be empty, so the names are critical.
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Critical: true, Value: names}},
	})
	if err != nil {
		return nil, err
	}
	d.format = func(_, keyAuthorization string) (any, error) {
		return d.tpm(certificate, attestationKey, keyAuthorization)
	}
	return d, nil
}

// tpm returns an attestation of the format tpm: the attestation key's statement that the device's key was made in the
// TPM and cannot leave it.
func (d *Device) tpm(certificate *x509.Certificate, attestationKey *rsa.PrivateKey, keyAuthorization string) (any, error) {
	public, err := tpmKey(&d.key.PublicKey)
	if err != nil {
		return nil, err
	}
	area, err := public.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode public area: %w", err)
	}
	name, err := public.Name()
	if err != nil {
		return nil, fmt.Errorf("name the key: %w", err)
	}
	extra := sha256.Sum256([]byte(keyAuthorization))
	info, err := tpm2.AttestationData{
		Magic: tpmGenerated, Type: tpm2.TagAttestCertify, QualifiedSigner: name, ExtraData: extra[:],
		AttestedCertifyInfo: &tpm2.CertifyInfo{Name: name, QualifiedName: name},
	}.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode attestation data: %w", err)
	}
	digest := sha256.Sum256(info)
	signed, err := rsa.SignPKCS1v15(rand.Reader, attestationKey, crypto.SHA256, digest[:])
	if err != nil {
		return nil, fmt.Errorf("sign attestation data: %w", err)
	}
	signature, err := tpm2.Signature{
		Alg: tpm2.AlgRSASSA, RSA: &tpm2.SignatureRSA{HashAlg: tpm2.AlgSHA256, Signature: tpmutil.U16Bytes(signed)},
	}.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode signature: %w", err)
	}
	return object{Format: "tpm", Statement: statement{
		X5C: [][]byte{certificate.Raw, d.maker.root.Raw}, Version: "2.0",
		Algorithm: coseRS256, Signature: signature, Certified: info, Public: area,
	}}, nil
}

// tpmKey describes a signing key as a TPM does that has made it and keeps it.
func tpmKey(key *ecdsa.PublicKey) (tpm2.Public, error) {
	point, err := key.Bytes()
	if err != nil {
		return tpm2.Public{}, fmt.Errorf("encode key: %w", err)
	}
	coordinates := point[1:] // behind the byte that says that it is not compressed
	half := len(coordinates) / 2
	return tpm2.Public{
		Type: tpm2.AlgECC, NameAlg: tpm2.AlgSHA256,
		Attributes: tpm2.FlagFixedTPM | tpm2.FlagFixedParent | tpm2.FlagSensitiveDataOrigin | tpm2.FlagUserWithAuth | tpm2.FlagSign,
		ECCParameters: &tpm2.ECCParams{
			Sign:    &tpm2.SigScheme{Alg: tpm2.AlgECDSA, Hash: tpm2.AlgSHA256},
			CurveID: tpm2.CurveNISTP256,
			Point:   tpm2.ECPoint{XRaw: coordinates[:half], YRaw: coordinates[half:]},
		},
	}, nil
}

// attestationKeyNames encodes a subjectAltName extension: the TPM's manufacturer, model and version, which step-ca
// requires, and the permanent identifiers, which it does not.
func attestationKeyNames(identifiers []string) ([]byte, error) {
	tcg := func(last int) asn1.ObjectIdentifier { return asn1.ObjectIdentifier{2, 23, 133, 2, last} }
	hardware, err := asn1.Marshal(pkix.RDNSequence{
		{{Type: tcg(1), Value: "id:53494D00"}}, {{Type: tcg(2), Value: "Simulated"}}, {{Type: tcg(3), Value: "id:0001"}},
	})
	if err != nil {
		return nil, err
	}
	names := []asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 4, IsCompound: true, Bytes: hardware}}
	for _, identifier := range identifiers {
		type permanentIdentifier struct {
			Value string `asn1:"utf8"`
		}
		type otherName struct {
			Type  asn1.ObjectIdentifier
			Value permanentIdentifier `asn1:"tag:0,explicit"`
		}
		name, err := asn1.MarshalWithParams(
			otherName{asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}, permanentIdentifier{identifier}}, "tag:0")
		if err != nil {
			return nil, err
		}
		names = append(names, asn1.RawValue{FullBytes: name})
	}
	return asn1.Marshal(names)
}
