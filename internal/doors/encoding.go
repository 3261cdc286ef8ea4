package doors

import (
	"bytes"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/url"
	"strings"
)

var errEncoding = errors.New("it is none of: percent-encoded PEM (nginx), base64 of DER (Caddy, HAProxy, Traefik), RFC 9440, XFCC (Envoy)")

// decodeCertificate returns the DER of the one certificate in a header. The four encodings are told apart by how they begin.
func decodeCertificate(text string) ([]byte, error) {
	switch {
	case strings.HasPrefix(text, "-----BEGIN"):
		return decodePEM(text)
	case strings.HasPrefix(text, "MI"):
		// Traefik sends the chain, leaf first.
		leaf, _, _ := strings.Cut(text, ",")
		return decodeBase64(leaf)
	case strings.HasPrefix(text, ":"):
		// RFC 9440 section 2.1, a byte sequence of RFC 8941.
		inside, ok := strings.CutSuffix(text[1:], ":")
		if !ok {
			return nil, errEncoding
		}
		return decodeBase64(inside)
	}
	quoted, err := certificateOfXFCC(text)
	if err != nil {
		return nil, err
	}
	return decodePEM(quoted)
}

func decodeBase64(text string) ([]byte, error) {
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, errors.New("it is not standard base64")
	}
	return der, nil
}

// decodePEM reads one certificate in PEM, percent-encoded. A plus is a plus.
func decodePEM(text string) ([]byte, error) {
	decoded, err := url.PathUnescape(text)
	if err != nil {
		return nil, errors.New("it is not percent-encoded")
	}
	block, rest := pem.Decode([]byte(decoded))
	switch {
	case block == nil || block.Type != "CERTIFICATE" || len(block.Headers) > 0:
		return nil, errors.New("it is not one certificate in PEM")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("something follows the certificate")
	// encoding/pem passes over what it does not understand; another reader may take that for the certificate.
	case !bytes.Equal(pem.EncodeToMemory(block), append(bytes.TrimRight([]byte(decoded), "\n"), '\n')):
		return nil, errors.New("it is not PEM in its usual form")
	}
	return block.Bytes, nil
}

// certificateOfXFCC returns the value of Cert in Envoy's X-Forwarded-Client-Cert: key=value pairs, separated by semicolons. More
// than one element means that proxies are chained, and which of them has verified the certificate is not known.
//
// Envoy does not quote URI and DNS names of the client's certificate, so that such a name can have a Cert of its own in it. Where
// Envoy writes Cert, it does so before them, and quotes it: one that follows a text without quotation marks is a client's. By
// and Hash are Envoy's own.
// https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_conn_man/headers#x-forwarded-client-cert
func certificateOfXFCC(text string) (string, error) {
	found, count, chosen := "", 0, false
	for rest := text; ; {
		key, after, ok := strings.Cut(rest, "=")
		if !ok || key == "" || strings.ContainsAny(key, `",; `) {
			return "", errEncoding
		}
		var value string
		quoted, isQuoted := strings.CutPrefix(after, `"`)
		if isQuoted {
			if value, after, ok = cutQuoted(quoted); !ok {
				return "", errEncoding
			}
		} else {
			end := strings.IndexAny(after, ";,")
			if end < 0 {
				end = len(after)
			}
			value, after = after[:end], after[end:]
		}
		isCert := strings.EqualFold(key, "Cert")
		switch {
		case isCert && (chosen || !isQuoted):
			return "", errors.New("XFCC has a Cert where Envoy writes none: behind a name that the client may have chosen, or without quotation marks")
		case isCert:
			found, count = value, count+1
		case !isQuoted && !strings.EqualFold(key, "By") && !strings.EqualFold(key, "Hash"):
			chosen = true
		}
		switch {
		case after == "" && count == 1:
			return found, nil
		case after == "":
			return "", errors.New("XFCC has no Cert, or several: set_current_client_cert_details of Envoy needs cert: true")
		case after[0] == ',':
			return "", errors.New("XFCC has more than one element")
		case after[0] != ';':
			return "", errEncoding
		}
		rest = after[1:]
	}
}

// cutQuoted cuts a text at the next quotation mark that no backslash precedes.
func cutQuoted(text string) (value, rest string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return text[:i], text[i+1:], true
		}
	}
	return "", "", false
}
