package authority

import (
	"bytes"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// block is one block of a PEM file.
type block struct {
	kind      string
	bytes     []byte
	line      int // its first line
	encrypted bool
}

// The kinds of blocks that are read, and how messages name them.
const (
	certificateKind = "CERTIFICATE"
	keyKind         = "PRIVATE KEY" // or what ends in it
	listKind        = "X509 CRL"

	aList = "a revocation list"
)

// How messages name what a file has.
const (
	ACertificate = "a certificate"
	AKey         = "a private key"
)

// encoded is the block in PEM, without the text around it.
func (b block) encoded() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: b.kind, Bytes: b.bytes})
}

// named says what a block is; "" means unknown.
func (b block) named() string {
	switch {
	case b.kind == certificateKind:
		return ACertificate
	case strings.HasSuffix(b.kind, keyKind):
		return AKey
	}
	return map[string]string{
		"PUBLIC KEY": "a public key", "RSA PUBLIC KEY": "a public key",
		"EC PARAMETERS": "parameters of a key", "DH PARAMETERS": "parameters of a key",
		listKind:              aList,
		"CERTIFICATE REQUEST": "a certificate request", "NEW CERTIFICATE REQUEST": "a certificate request",
	}[b.kind]
}

const (
	dashes = `[-\x{2010}-\x{2015}\x{2212}]`
	// kinds matches the beginning of the words between BEGIN or END and the dashes.
	kinds = `((ENCRYPTED|PRIVATE|PUBLIC|OPENSSH|TRUSTED|X509|RSA|DSA|EC|DH|NEW)\s*)*(CERT|KEY|CRL|PKCS|CMS|PARAM|REQUEST)`
)

var (
	// armour is the line at the beginning or end of a block.
	armour = regexp.MustCompile(`^-----(BEGIN|END) ([A-Z0-9]+(?: [A-Z0-9]+)*)-----$`)
	// mangled is a line that was probably meant as armour. A heading such as "---- Root CA ----" is not.
	mangled = regexp.MustCompile(`(?i)^\s*` + dashes + `{4,}\s*(B[A-Z]{2,4}|EGIN|E[A-Z]{1,2}|ND)\s*` + kinds + `[A-Z0-9 ]*` + dashes + `{4,}$` +
		`|` + dashes + `\s*(BEGIN|END)\s*` + kinds +
		`|(BEGIN|END)\s*` + kinds + `[A-Z0-9 ]*\s*` + dashes)
	// glued is a line where two files were joined without a line end.
	glued = regexp.MustCompile(`-----END [A-Z0-9 ]+-----\s*` + bom + `?-----BEGIN `)
	// stray is the first line of base64 of almost any certificate or key.
	stray     = regexp.MustCompile(`^MI[A-Za-z0-9+/]{40,}={0,2}$`)
	inBase64  = regexp.MustCompile(`^[A-Za-z0-9+/]*={0,2}$`)
	pemHeader = regexp.MustCompile(`^[A-Za-z0-9-]+: `)
)

const bom = "\xef\xbb\xbf"

// parsePEM reads the blocks of a PEM file. A block with a fault is an error, with its line and without its content. A
// BOM is dropped at the beginning of every line, because joined files have one in the middle. Text around the blocks
// is allowed.
//
// encoding/pem decodes each block here, but cannot find them: it skips what it cannot read, without an error, and has
// no line numbers. The operator would notice the damage only when step-ca is refused. golang/go#34069 asks for a strict
// decoder; we found no maintained library that has one with line numbers. FuzzParsePEM compares the two.
func parsePEM(text []byte) ([]block, error) {
	switch {
	case bytes.HasPrefix(text, []byte("\xff\xfe")), bytes.HasPrefix(text, []byte("\xfe\xff")):
		return nil, errors.New("it is UTF-16; save it as UTF-8")
	case isBinary(text):
		return nil, nil // missing explains it
	}
	p := parser{}
	number := 0
	for raw := range bytes.Lines(text) {
		number++
		line := strings.TrimRight(strings.TrimPrefix(string(raw), bom), " \t\r\n")
		if err := p.line(line, number); err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	if p.open != nil {
		return nil, fmt.Errorf("line %d: the block that begins here has no end", p.open.line)
	}
	return p.blocks, nil
}

// parser reads a PEM file line by line.
type parser struct {
	blocks []block
	open   *block          // nil between blocks
	text   strings.Builder // of the open block
	body   bool            // the headers of the open block have ended
}

func (p *parser) line(line string, number int) error {
	if p.open != nil && isBase64(line) {
		p.body = true
		p.text.WriteString(line)
		p.text.WriteByte('\n')
		return nil
	}
	match := armour.FindStringSubmatch(line)
	switch {
	case match == nil && mangled.MatchString(line):
		if glued.MatchString(line) {
			return errors.New("the line end after -----END …----- is missing; -----BEGIN …----- must begin a line of its own")
		}
		return errors.New(almost(line))
	case p.open == nil && match == nil && stray.MatchString(line):
		return errors.New("the line -----BEGIN …----- before this block is missing")
	case p.open == nil && match == nil:
		return nil // text around the blocks
	case p.open == nil && match[1] == "END":
		return errors.New("a block ends here, but the line where it begins is missing")
	case p.open == nil:
		return p.begin(line, match[2], number)
	case match == nil:
		return p.inside(line)
	case match[1] == "BEGIN":
		return fmt.Errorf("a block begins here, but the one that begins at line %d has no end", p.open.line)
	case match[2] != p.open.kind:
		return fmt.Errorf("the block that begins at line %d ends here as another kind", p.open.line)
	}
	return p.end(line)
}

// isBase64 reports whether a line has characters of base64 only. It is what the expressions below would say, and faster: a
// large revocation list has a million lines.
func isBase64(line string) bool {
	for i := range len(line) {
		c := line[i]
		if (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '+' && c != '/' {
			return false
		}
	}
	return line != ""
}

// almost says what is wrong with a mangled line.
func almost(line string) string {
	switch {
	case strings.Contains(line, `-----\n`):
		return `the line breaks are written as \n; each must be a line break`
	case regexp.MustCompile(`^-----BEGIN [A-Z0-9 ]+-----\s*[A-Za-z0-9+/]`).MatchString(line):
		return "the line break after -----BEGIN …----- is missing; a block has lines of 64 characters"
	case armour.MatchString(strings.TrimSpace(line)):
		return "spaces before -----BEGIN …-----; it must begin its line"
	}
	return "almost, but not exactly, a line such as -----BEGIN CERTIFICATE-----"
}

func (p *parser) begin(line, kind string, number int) error {
	p.open, p.body = &block{kind: kind, line: number}, false
	p.text.Reset()
	p.text.WriteString(line + "\n")
	return p.open.acceptable()
}

func (p *parser) inside(line string) error {
	line = strings.TrimLeft(line, " \t")
	switch {
	case !p.body && pemHeader.MatchString(line):
		if strings.HasPrefix(line, "Proc-Type:") && strings.HasSuffix(line, "ENCRYPTED") {
			p.open.encrypted = true
		}
	case !inBase64.MatchString(line):
		return fmt.Errorf("the block that begins at line %d is damaged: this line is not base64", p.open.line)
	default:
		p.body = true
	}
	p.text.WriteString(line + "\n")
	return nil
}

func (p *parser) end(line string) error {
	p.text.WriteString(line + "\n")
	decoded, _ := pem.Decode([]byte(p.text.String()))
	if decoded == nil || len(decoded.Bytes) == 0 {
		return fmt.Errorf("the block that begins at line %d is damaged: a part of it is missing", p.open.line)
	}
	p.open.bytes = decoded.Bytes
	p.open.encrypted = p.open.encrypted || p.open.kind == "ENCRYPTED "+keyKind
	p.blocks = append(p.blocks, *p.open)
	p.open = nil
	return nil
}

// acceptable refuses kinds that have certificates in another form, and unknown kinds: if they were skipped, the fault
// would show only later.
func (b block) acceptable() error {
	switch b.kind {
	case "TRUSTED CERTIFICATE", "X509 CERTIFICATE":
		return errors.New("a certificate in OpenSSL's own form; `openssl x509 -in FILE -out NEW` converts it")
	case "PKCS7", "CMS":
		return errors.New("certificates in PKCS #7; `openssl pkcs7 -print_certs -in FILE -out NEW` converts them")
	}
	if b.named() == "" {
		return errors.New("a block of an unknown kind begins here")
	}
	return nil
}

// isBinary reports whether a file is plain ASN.1: a sequence of more than 127 bytes.
func isBinary(text []byte) bool {
	return len(text) > 1 && text[0] == 0x30 && text[1]&0x80 != 0
}

// missing says why a file has no block of the wanted kind, and what it has in its place.
func missing(wanted string, text []byte, blocks []block) error {
	if len(blocks) > 0 {
		return &LackingError{wanted, blocks[0].named()}
	}
	if advice := binary(wanted, text); advice != "" {
		return errors.New(advice)
	}
	return &LackingError{wanted, ""}
}

// LackingError says what a file lacks, and what it has in its place: ACertificate, for one.
type LackingError struct{ Wanted, Found string }

func (e *LackingError) Error() string {
	text := "it has no PEM " + strings.TrimPrefix(e.Wanted, "a ")
	if e.Found != "" {
		text += ", but " + e.Found
	}
	return text
}

// binary recognizes certificates and keys in binary forms.
func binary(wanted string, text []byte) string {
	if !isBinary(text) {
		return ""
	}
	var first struct {
		Version int
		Rest    asn1.RawValue
	}
	var signed struct {
		Type asn1.ObjectIdentifier
		Rest asn1.RawValue `asn1:"optional"`
	}
	const pkcs12Version = 3
	_, errCertificate := x509.ParseCertificate(text)
	_, errPKCS8 := x509.ParsePKCS8PrivateKey(text)
	_, errPKCS1 := x509.ParsePKCS1PrivateKey(text)
	_, errEC := x509.ParseECPrivateKey(text)
	_, errFirst := asn1.Unmarshal(text, &first)
	_, errSigned := asn1.Unmarshal(text, &signed)
	switch {
	case errCertificate == nil:
		return "it is a certificate in DER, not in PEM; `openssl x509 -inform DER -in FILE -out NEW` converts it"
	case errPKCS8 == nil || errPKCS1 == nil || errEC == nil:
		return "it is a private key in DER, not in PEM; `openssl pkey -inform DER -in FILE -out NEW` converts it"
	case errSigned == nil && signed.Type.Equal(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 7, 2}):
		return "it is PKCS #7, not PEM; `openssl pkcs7 -inform DER -print_certs -in FILE -out NEW` converts it"
	case errFirst == nil && first.Version == pkcs12Version && wanted == AKey:
		return "it is PKCS #12, not PEM; `openssl pkcs12 -in FILE -nocerts -nodes -out NEW` takes the key out"
	case errFirst == nil && first.Version == pkcs12Version:
		return "it is PKCS #12, not PEM; `openssl pkcs12 -in FILE -nokeys -out NEW` takes the certificates out"
	}
	return "it has no PEM " + strings.TrimPrefix(wanted, "a ") + "; it is binary, DER perhaps"
}
