package idp

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// keys are those of one time; their IDs are that of the time and their algorithm.
type keys struct {
	id    string
	rsa   *rsa.PrivateKey
	ecdsa *ecdsa.PrivateKey
}

func newKeys(t testing.TB, id string) keys {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return keys{id, r, e}
}

// public is the JSON Web Key Set, https://www.rfc-editor.org/rfc/rfc7517.
func (k keys) public() []map[string]string {
	point, err := k.ecdsa.PublicKey.Bytes()
	if err != nil {
		panic(err) // made by GenerateKey
	}
	encode := base64.RawURLEncoding.EncodeToString
	return []map[string]string{
		{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.id + "-RS256", "n": encode(k.rsa.N.Bytes()), "e": encode(big.NewInt(int64(k.rsa.E)).Bytes())},
		{"kty": "EC", "use": "sig", "alg": "ES256", "kid": k.id + "-ES256", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])},
	}
}

// sign makes the ID token of a grant, with the fault that is planted.
func (p *Provider) sign(g grant) (string, error) {
	p.mu.Lock()
	algorithm, claim, fault, k := p.algorithm, p.claim, p.fault, p.keys
	p.mu.Unlock()
	now := time.Now()
	claims := jwt.MapClaims{
		"iss": p.Issuer, "sub": "id-of-" + g.user.Name, "aud": p.ClientID, "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix(), "nonce": g.nonce,
		"name": g.user.Name, "preferred_username": g.user.Name, "email": g.user.Name + "@example.com", "email_verified": true, claim: g.user.Groups,
	}
	p.spoilClaims(claims, fault, claim, g.user)
	token := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), claims)
	token.Header["kid"] = k.id + "-" + algorithm
	var key any = k.rsa
	if algorithm == "ES256" {
		key = k.ecdsa
	}
	switch fault {
	case BadSignature:
		other, err := stranger(algorithm)
		if err != nil {
			return "", err
		}
		key = other
	case UnknownKey:
		token.Header["kid"] = "unknown"
	case AlgorithmNone:
		token.Method, token.Header["alg"], key = jwt.SigningMethodNone, "none", jwt.UnsafeAllowNoneSignatureType
	case AlgorithmHMAC:
		token.Method, token.Header["alg"], key = jwt.SigningMethodHS256, "HS256", x509.MarshalPKCS1PublicKey(&k.rsa.PublicKey)
	case CutShort:
		return token.SigningString()
	default:
	}
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return signed, nil
}

// spoilClaims changes the claims as the fault says.
func (p *Provider) spoilClaims(claims jwt.MapClaims, fault Fault, groups string, user User) {
	switch fault {
	case WrongIssuer:
		claims["iss"] = p.Issuer + "/other"
	case WrongAudience:
		claims["aud"] = "other"
	case OtherParty:
		claims["aud"], claims["azp"] = []string{p.ClientID, "other"}, "other"
	case Expired:
		past := time.Now().Add(-time.Hour)
		claims["iat"], claims["exp"] = past.Add(-time.Minute).Unix(), past.Unix()
	case WrongNonce:
		claims["nonce"] = rand.Text()
	case NoNonce:
		delete(claims, "nonce")
	case NoSubject:
		delete(claims, "sub")
	case NoGroups:
		delete(claims, groups)
	case GroupsAsNumbers:
		claims[groups] = []int{1, 2}
	case GroupsAsString:
		claims[groups] = ""
		if len(user.Groups) > 0 {
			claims[groups] = user.Groups[0]
		}
	default:
	}
}

// stranger is a key that the provider does not have.
func stranger(algorithm string) (any, error) {
	if algorithm == "ES256" {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	return rsa.GenerateKey(rand.Reader, 2048)
}
