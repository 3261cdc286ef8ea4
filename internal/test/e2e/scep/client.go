// Package scep is a client of SCEP, as a device is that gets its certificate by a configuration profile.
package scep

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"time"

	"github.com/smallstep/pkcs7"
	smallscep "github.com/smallstep/scep"
	"github.com/smallstep/scep/x509util"
)

const (
	keyBits = 2048
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 1 << 20
	// signerLifetime is that of the certificate with which a client signs its messages.
	signerLifetime = time.Hour
)

// Request is what a client asks for.
type Request struct {
	CommonName string
	DNSNames   []string
	Challenge  string // empty sends none
	// Renewal sends a RenewalReq in place of a PKCSReq. It is signed with a certificate that the client made itself.
	Renewal bool
	// Key is that of the certificate; nil makes a new one.
	Key *rsa.PrivateKey
}

// Refusal is an answer without a certificate.
type Refusal struct {
	FailInfo string // of RFC 8894, such as badRequest (2)
	Text     string // failInfoText
}

// Error has both.
func (r *Refusal) Error() string { return "SCEP failure " + r.FailInfo + ": " + r.Text }

// Enroll sends a request to the address of a SCEP provisioner, and returns the certificate, or a Refusal.
func Enroll(ctx context.Context, client *http.Client, address string, request Request) (*x509.Certificate, error) {
	recipients, err := certificates(ctx, client, address)
	if err != nil {
		return nil, err
	}
	message, signer, err := request.message(recipients)
	if err != nil {
		return nil, err
	}
	reply, err := ask(ctx, client, http.MethodPost, address+"?operation=PKIOperation", message.Raw)
	if err != nil {
		return nil, err
	}
	return read(reply, signer)
}

// message makes the message, and the certificate with its key for which the answer is encrypted.
func (r Request) message(recipients []*x509.Certificate) (*smallscep.PKIMessage, *keyPair, error) {
	pair, err := r.selfSigned()
	if err != nil {
		return nil, nil, err
	}
	der, err := x509util.CreateCertificateRequest(rand.Reader, &x509util.CertificateRequest{
		CertificateRequest: x509.CertificateRequest{Subject: pkix.Name{CommonName: r.CommonName}, DNSNames: r.DNSNames},
		ChallengePassword:  r.Challenge,
	}, pair.key)
	if err != nil {
		return nil, nil, fmt.Errorf("make the CSR: %w", err)
	}
	csr, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, nil, fmt.Errorf("read the CSR: %w", err)
	}
	kind := smallscep.PKCSReq
	if r.Renewal {
		kind = smallscep.RenewalReq
	}
	message, err := smallscep.NewCSRRequest(csr, &smallscep.PKIMessage{
		MessageType: kind, Recipients: recipients, SignerCert: pair.certificate, SignerKey: pair.key,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("make the message: %w", err)
	}
	return message, pair, nil
}

type keyPair struct {
	certificate *x509.Certificate
	key         *rsa.PrivateKey
}

// NewKey makes the key of a device.
func NewKey() (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, fmt.Errorf("make a device's key: %w", err)
	}
	return key, nil
}

// selfSigned makes the certificate with which a client that has none yet signs its message.
func (r Request) selfSigned() (*keyPair, error) {
	key, err := r.Key, error(nil)
	if key == nil {
		key, err = NewKey()
	}
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: r.CommonName},
		NotBefore: time.Now().Add(-time.Minute), NotAfter: time.Now().Add(signerLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the message's signer: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return &keyPair{certificate, key}, err
}

// certificates returns those for which a message may be encrypted: the first is the provisioner's decrypter.
func certificates(ctx context.Context, client *http.Client, address string) ([]*x509.Certificate, error) {
	der, err := ask(ctx, client, http.MethodGet, address+"?operation=GetCACert", nil)
	if err != nil {
		return nil, err
	}
	if one, err := x509.ParseCertificate(der); err == nil {
		return []*x509.Certificate{one}, nil
	}
	all, err := smallscep.CACerts(der)
	if err != nil || len(all) == 0 {
		return nil, fmt.Errorf("read the certificates of %s: %w", address, errors.Join(err, errors.New("there must be one")))
	}
	return all[:1], nil
}

// read returns what an answer holds.
func read(reply []byte, pair *keyPair) (*x509.Certificate, error) {
	message, err := smallscep.ParsePKIMessage(reply)
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	if message.PKIStatus != smallscep.SUCCESS {
		return nil, &Refusal{message.FailInfo.String(), failInfoText(reply)}
	}
	if err := message.DecryptPKIEnvelope(pair.certificate, pair.key); err != nil {
		return nil, fmt.Errorf("decrypt the answer: %w", err)
	}
	return message.Certificate, nil
}

// failInfoText returns the attribute of that name, or nothing.
func failInfoText(reply []byte) string {
	signed, err := pkcs7.Parse(reply)
	if err != nil {
		return ""
	}
	var text asn1.RawValue
	if err := signed.UnmarshalSignedAttribute(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 24, 1}, &text); err != nil {
		return ""
	}
	return string(text.Bytes)
}

func ask(ctx context.Context, client *http.Client, method, address string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("make a SCEP request: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("send a SCEP request: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	reply, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read a SCEP answer: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("SCEP answers %s: %s", response.Status, reply)
	}
	return reply, nil
}
