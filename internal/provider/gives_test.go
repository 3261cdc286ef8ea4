package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/addigy"
	"step-posture-connector/internal/provider/apple"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/intune"
	"step-posture-connector/internal/provider/iru"
	"step-posture-connector/internal/provider/mosyle"
)

// TestListsGiveNoData: an inventory that returns no data gives that by lists too. Otherwise no policy without data of its own
// could be answered from a snapshot, because such a policy passes the inventory's data on.
func TestListsGiveNoData(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	keyText := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	secret := config.NewSecret([]byte("secret"))
	for vendor, open := range map[string]func() (posture.Provider, []string, error){
		"addigy": func() (posture.Provider, []string, error) {
			return addigy.Open(addigy.Config{BaseURL: "https://example.com", Token: secret})
		},
		"apple_business": func() (posture.Provider, []string, error) {
			return apple.Open(apple.Config{
				ClientID: "BUSINESSAPI.1", KeyID: "1", PrivateKey: config.NewSecret(keyText), TokenURL: "https://example.com/token", AllowUnmanaged: true,
			})
		},
		"fleet": func() (posture.Provider, []string, error) {
			return fleet.Open(fleet.Config{BaseURL: "https://example.com", Token: secret})
		},
		"intune": func() (posture.Provider, []string, error) {
			return intune.Open(intune.Config{
				TenantID: "8f0c2b1e-5d3a-4c7b-9e21-0a6b4d7c1f10", ClientID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", ClientSecret: secret, Cloud: "worldwide",
			})
		},
		"iru": func() (posture.Provider, []string, error) {
			return iru.Open(iru.Config{BaseURL: "https://example.com", Token: secret})
		},
		"mosyle": func() (posture.Provider, []string, error) {
			return mosyle.Open(mosyle.Config{Product: "business", AccessToken: secret, Email: "a@example.com", Password: secret})
		},
	} {
		opened, _, err := open()
		if err != nil {
			t.Errorf("%s: %v", vendor, err)
			continue
		}
		lister, ok := opened.(posture.Lister)
		if !ok || !lister.ListGives().Has(posture.Document) {
			t.Errorf("%s: its list does not give that there are no data", vendor)
		}
	}
}
