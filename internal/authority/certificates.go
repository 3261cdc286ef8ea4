package authority

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"io"
	"strings"

	"step-posture-connector/internal/filesys"
)

// Placed is a certificate and its place in a file.
type Placed struct {
	*x509.Certificate

	block block
}

// Line is where it begins.
func (p Placed) Line() int { return p.block.line }

// Encoded is the certificate in PEM, without the text around it.
func (p Placed) Encoded() []byte { return p.block.encoded() }

// LoadCertificates reads the certificates of a PEM file, at least one; it may hold other blocks too.
func LoadCertificates(file File) ([]Placed, error) {
	text, blocks, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	var certificates []Placed
	for _, b := range blocks {
		if b.kind != certificateKind {
			continue
		}
		certificate, err := x509.ParseCertificate(b.bytes)
		if err != nil {
			what := "is damaged"
			if strings.Contains(err.Error(), "unsupported") {
				what = "cannot be used"
			}
			return nil, file.wrong(fmt.Errorf("line %d: the certificate that begins here %s: %w", b.line, what, err))
		}
		certificates = append(certificates, Placed{certificate, b})
	}
	if len(certificates) == 0 {
		return nil, file.wrong(missing(ACertificate, text, blocks))
	}
	return certificates, nil
}

// LoadKey reads the private key of a PEM file, which may hold other blocks too. It returns the key in PEM.
func LoadKey(file File) ([]byte, error) {
	text, blocks, err := readPEM(file)
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		switch {
		case b.named() != AKey:
		case b.encrypted:
			return nil, file.wrong(fmt.Errorf("line %d: the private key is encrypted; `openssl pkey -in FILE -out NEW` decrypts it", b.line))
		case b.kind == "OPENSSH "+keyKind:
			return nil, file.wrong(fmt.Errorf("line %d: the private key is in OpenSSH's format", b.line))
		default:
			return b.encoded(), nil
		}
	}
	return nil, file.wrong(missing(AKey, text, blocks))
}

// readPEM reads a file and its blocks. A file without blocks is not an error here.
func readPEM(file File) (text []byte, blocks []block, err error) {
	text, err = readFile(file, maxPEM)
	if err != nil {
		return nil, nil, err
	}
	blocks, err = parsePEM(text)
	if err != nil {
		return nil, nil, file.wrong(err)
	}
	return text, blocks, nil
}

func readFile(f File, most int) ([]byte, error) {
	file, err := filesys.Open(f.Path)
	if err != nil {
		return nil, f.wrong(filesys.Cause(err))
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	switch {
	case err != nil:
		return nil, f.wrong(filesys.Cause(err))
	case len(text) > most:
		return nil, f.wrong(fmt.Errorf("it has more than %d bytes", most))
	}
	return text, nil
}

// NameOf names a certificate in messages.
func NameOf(c *x509.Certificate) string {
	return fmt.Sprintf("%.64q", cmp.Or(c.Subject.CommonName, c.Subject.String(), "?"))
}
