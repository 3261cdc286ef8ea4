package vendorhttp_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/provider/vendorhttp"
)

// must returns the value of a function that does not fail.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// keys are one of each kind that is accepted.
type keys struct {
	rsa *rsa.PrivateKey
	ec  *ecdsa.PrivateKey
}

func newKeys() keys {
	const bits = 2048
	return keys{must(rsa.GenerateKey(rand.Reader, bits)), must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))}
}

// verified reads a JWT and verifies its signature by crypto/ecdsa or crypto/rsa, and not by the library that made it.
func verified(t *testing.T, token string, public any) (head, claims map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("the token has %d parts", len(parts))
	}
	var decoded [3][]byte
	for i, part := range parts {
		decoded[i] = must(base64.RawURLEncoding.Strict().DecodeString(part))
	}
	sum, signature := sha256.Sum256([]byte(parts[0]+"."+parts[1])), decoded[2]
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		// RFC 7518 section 3.4: R and S, of 32 bytes each, and no ASN.1.
		if len(signature) != 64 || !ecdsa.Verify(public, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
			t.Errorf("the signature of %d bytes is not valid", len(signature))
		}
	case *rsa.PublicKey:
		// RFC 7518 section 3.5: the salt is as long as the hash.
		if err := rsa.VerifyPSS(public, crypto.SHA256, sum[:], signature, &rsa.PSSOptions{SaltLength: sha256.Size}); err != nil {
			t.Errorf("the signature is not valid: %v", err)
		}
	}
	if err := json.Unmarshal(decoded[0], &head); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(decoded[1], &claims); err != nil {
		t.Fatal(err)
	}
	return head, claims
}

// TestAssertion: an assertion is what RFC 7523 asks for, and says what its vendor wants beside that.
func TestAssertion(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, time.May, 4, 3, 2, 1, 0, time.UTC)
	k := newKeys()
	for alg, key := range map[string]crypto.Signer{"ES256": k.ec, "PS256": k.rsa} {
		a := vendorhttp.Assertion{Key: key, Client: "client", Audience: "https://login.example.com/token", Header: map[string]any{"kid": "k1"}}
		var ids []any
		for range 20 { // a signature's R or S has a zero in front sometimes
			head, claims := verified(t, must(a.Sign(now)), key.Public())
			if want := map[string]any{"alg": alg, "typ": "JWT", "kid": "k1"}; !reflect.DeepEqual(head, want) {
				t.Errorf("%s: the header is %v, want %v", alg, head, want)
			}
			id, _ := claims["jti"].(string)
			if len(id) < 20 || slices.Contains(ids, any(id)) {
				t.Errorf("%s: the ID is %q after %q", alg, id, ids)
			}
			ids = append(ids, id)
			delete(claims, "jti")
			begin := float64(now.Unix() - 30)
			want := map[string]any{
				"iss": "client", "sub": "client", "aud": "https://login.example.com/token", // a text, and no list
				"iat": begin, "nbf": begin, "exp": float64(now.Unix() + 300),
			}
			if !reflect.DeepEqual(claims, want) {
				t.Errorf("%s: the claims are %v, want %v", alg, claims, want)
			}
		}
	}
	for _, key := range []crypto.Signer{nil, must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)), ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))} {
		if token, err := (vendorhttp.Assertion{Key: key}).Sign(now); err == nil || token != "" {
			t.Errorf("a key of the type %T signs", key)
		}
	}
}

func block(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// TestParseKey: a key is read in each form, whatever its label says, and what is no such key is refused by what it is.
func TestParseKey(t *testing.T) {
	t.Parallel()
	k := newKeys()
	forms := map[string][]byte{
		"PKCS #8, RSA": must(x509.MarshalPKCS8PrivateKey(k.rsa)),
		"PKCS #8, EC":  must(x509.MarshalPKCS8PrivateKey(k.ec)),
		"PKCS #1":      x509.MarshalPKCS1PrivateKey(k.rsa),
		"SEC 1":        must(x509.MarshalECPrivateKey(k.ec)),
	}
	pair, _ := certificate(t, nil)
	cert, parameters := block("CERTIFICATE", pair.Certificate[0]), block("EC PARAMETERS", []byte{6, 1, 1})
	for form, der := range forms {
		want := crypto.Signer(k.ec)
		if strings.Contains(form, "RSA") || form == "PKCS #1" {
			want = k.rsa
		}
		for _, label := range []string{"PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY", "KEY"} {
			text := block(label, der)
			for beside, text := range map[string][]byte{
				"alone": text, "CRLF": bytes.ReplaceAll(text, []byte("\n"), []byte("\r\n")), "text in front": append([]byte("Bag Attributes\n"), text...),
				"behind a certificate": slices.Concat(cert, text), "in front of one": slices.Concat(text, cert), "behind parameters": slices.Concat(parameters, text),
			} {
				if got, err := vendorhttp.ParseKey(text); err != nil || !reflect.DeepEqual(got.Public(), want.Public()) {
					t.Errorf("%s as %q, %s: ParseKey = %v", form, label, beside, err)
				}
			}
		}
	}
	const lesser = 1024
	sound := block("PRIVATE KEY", forms["SEC 1"])
	encrypted := pem.EncodeToMemory(&pem.Block{
		Type: "RSA PRIVATE KEY", Headers: map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00"}, Bytes: forms["PKCS #1"],
	})
	for _, row := range []struct {
		name, want string
		text       []byte
	}{
		{"empty", "is no private key in PEM", nil},
		{"garbage", "is no private key in PEM", []byte("hidden-key-text")},
		{"DER", "is no private key in PEM", forms["PKCS #1"]},
		{"cut off", "is no private key in PEM", sound[:len(sound)-30]},
		{"a certificate", "holds a certificate, and no private key", cert},
		{"parameters", "is no private key in PEM", parameters},
		{"two keys", "holds several keys; which of them is meant is not known", slices.Concat(sound, sound)},
		{"encrypted, old", "holds a key that is encrypted with a passphrase", encrypted},
		{"encrypted, PKCS #8", "holds a key that is encrypted with a passphrase", block("ENCRYPTED PRIVATE KEY", []byte("hidden-key-text"))},
		{"no key", "holds a private key that cannot be read", block("PRIVATE KEY", []byte("hidden-key-text"))},
		{"a public key", "holds a private key that cannot be read", block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(k.ec.Public())))},
		{"cut short", "holds a private key that cannot be read", block("PRIVATE KEY", forms["PKCS #1"][:200])},
		{"P-384", "holds a key of another curve than P-256", block("PRIVATE KEY", must(x509.MarshalECPrivateKey(must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)))))},
		{
			"RSA 1024", "holds an RSA key of 1024 bits; 2048 are the least",
			block("PRIVATE KEY", x509.MarshalPKCS1PrivateKey(must(rsa.GenerateKey(rand.Reader, lesser)))),
		},
		{
			"Ed25519", "holds a key that is neither RSA nor ECDSA",
			block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))))),
		},
	} {
		if key, err := vendorhttp.ParseKey(row.text); key != nil || err == nil || err.Error() != row.want {
			t.Errorf("%s: ParseKey = %v, want %s", row.name, err, row.want)
		}
	}
}

// issuer is a token endpoint that takes assertions only.
type issuer struct {
	t      *testing.T
	public *ecdsa.PublicKey
	scope  string

	mu   sync.Mutex
	seen []string // IDs of assertions
}

func (i *issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		i.t.Errorf("a token is asked for by a %s of %s", r.Method, r.Header.Get("Content-Type"))
	}
	_, _, isBasic := r.BasicAuth()
	_, claims := verified(i.t, r.PostForm.Get("client_assertion"), i.public)
	id, _ := claims["jti"].(string)
	if slices.Contains(i.seen, id) {
		i.t.Error("an assertion is sent a second time")
	}
	i.seen = append(i.seen, id)
	form := r.PostForm
	form.Del("client_assertion")
	want := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {"client"}, "scope": {i.scope},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	if !reflect.DeepEqual(form, want) || isBasic || r.URL.RawQuery != "" {
		i.t.Errorf("the request for a token has %v, want %v", form, want)
	}
	switch len(i.seen) {
	case 1:
		answer(w, http.StatusServiceUnavailable, nil) // repeated with another assertion
	default:
		answer(w, http.StatusOK, map[string]any{"access_token": "token", "token_type": "Bearer", "expires_in": 3600})
	}
}

// TestClientAssertion: a signed JWT stands in place of the secret, a new one for each request, at the server and on another host.
func TestClientAssertion(t *testing.T) {
	t.Parallel()
	for _, elsewhere := range []bool{false, true} {
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		i := &issuer{t: t, public: &key.PublicKey, scope: "a b"}
		credentials := vendorhttp.ClientCredentials{
			ID: "client", Path: "/token", Scopes: []string{"a", "b"}, Basic: true, // an assertion is never sent as a Basic header
			Assertion: vendorhttp.Assertion{Key: key, Client: "client", Audience: "aud"}.Sign,
		}
		if elsewhere {
			server := httptest.NewTLSServer(i)
			t.Cleanup(server.Close)
			credentials.URL = must(url.Parse(server.URL + "/other/token"))
		}
		var refused atomic.Bool
		c := exchanging(t, vendorhttp.Options{Auth: credentials}, func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/token"):
				i.ServeHTTP(w, r)
			case refused.CompareAndSwap(false, true):
				answer(w, http.StatusUnauthorized, nil)
			case r.Header.Get("Authorization") != "Bearer token":
				t.Errorf("Authorization: %s", r.Header.Get("Authorization"))
			}
		})
		if _, err := c.Ask(t.Context(), vendorhttp.Request{Endpoint: "request", Method: http.MethodGet, Path: "/"}); err != nil || len(i.seen) != 3 {
			t.Errorf("on another host: %v: Ask = %v after %d requests for a token, want 3", elsewhere, err, len(i.seen))
		}
	}
}
