package program

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"
)

// ReplaceFile replaces a file by rename.
func ReplaceFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil { //nolint:gosec // G703: a file of the test
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// Swapper replaces the files of a running daemon.
type Swapper struct {
	PKI       *PKI
	Inventory string
	Version   atomic.Int64 // of the inventory that was written last
}

// Swap writes the next version of every file. The one that broken names cannot be used: pair, bundle or inventory.
func (s *Swapper) Swap(t *testing.T, broken string) {
	t.Helper()
	version := s.Version.Add(1)
	certificate := LeafTemplate(fmt.Sprintf("connector %d", version))
	certificate.SerialNumber = big.NewInt(version)
	certificate.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	key := NewECKey(t)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	s.PKI.Write(t, "server.pem", "CERTIFICATE", s.PKI.Sign(t, certificate, key))
	if broken != "pair" { // the old key does not match the new certificate
		s.PKI.Write(t, "server.key", "PRIVATE KEY", private)
	}
	s.PKI.Write(t, "ca.pem", "CERTIFICATE", s.PKI.CA.Raw)
	if broken == "bundle" {
		s.PKI.Write(t, "ca.pem", "CERTIFICATE", []byte("no certificate"))
	}
	data := fmt.Sprintf(`{"version":%d,"filler":%q,"again":%d}`, version, strings.Repeat("x", 1000), version)
	text := fmt.Sprintf(`{"devices":[{"identifier":"C02XK1JKLVCG","data":%s},{"identifier":"C02XK1JKLVCH","data":%s}]}`, data, data)
	if broken == "inventory" {
		text = text[:len(text)/2]
	}
	ReplaceFile(t, s.Inventory, text)
}

// Ask makes a request, and wants a complete answer with the data of one version.
func (s *Swapper) Ask(t *testing.T, by *StepCA) {
	t.Helper()
	status, text, err := by.Send(t, WebhookBody("C02XK1JKLVCG"))
	if err != nil || status != http.StatusOK || !s.Whole(text) {
		t.Errorf("got %d %.200s (%v), want an allow with the data of one version", status, text, err)
	}
}

// Whole reports whether an answer allows, with the data of one version.
func (s *Swapper) Whole(text string) bool {
	var answer struct {
		Allow bool
		Data  struct {
			Version, Again int64
			Filler         string
		}
	}
	err := json.Unmarshal([]byte(text), &answer)
	return err == nil && answer.Allow && answer.Data.Version == answer.Data.Again &&
		answer.Data.Version >= 1 && answer.Data.Version <= s.Version.Load() && len(answer.Data.Filler) == 1000
}
