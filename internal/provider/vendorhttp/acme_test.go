package vendorhttp_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// acme is a small provider, as another vendor's would be: one search by serial number.
type acme struct{ *vendorhttp.Client }

type acmeRecord struct {
	Serial  vendorjson.Text  `json:"serial"`
	Kind    vendorjson.Text  `json:"kind"`
	Managed vendorjson.Truth `json:"managed"`
	Seen    vendorjson.Text  `json:"seen"`
	Groups  []string         `json:"groups"`
}

func (a *acme) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	return a.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		body, err := a.Get(ctx, "devices", "/devices", url.Values{"serial": {q.Identifier.Key()}})
		if err != nil {
			return posture.Device{}, err
		}
		var answer struct {
			Devices *[]vendorjson.Record[acmeRecord] `json:"devices"`
		}
		if err := a.Decode("devices", "a list of devices", body, &answer); err != nil {
			return posture.Device{}, err
		}
		if answer.Devices == nil {
			return posture.Device{}, a.NotA("devices", "a list of devices")
		}
		_, device, err := vendorhttp.Newest(a.Client, q, vendorhttp.Exact, *answer.Devices, acmeDevice)
		return device, err
	})
}

// acmeDevice is what a record says, in lookups and in lists.
func acmeDevice(r *acmeRecord) posture.Device {
	return posture.Device{Identifier: r.Serial.Said(), Type: posture.DeviceType(r.Kind.Said()), Facts: posture.Facts{
		Managed: r.Managed.Fact(), Groups: posture.Known(r.Groups), LastSeen: r.Seen.Moment(time.Now()),
	}}
}

// acmeDeviceJSON is a record as the vendor writes it.
type acmeDeviceJSON struct {
	Serial  string    `json:"serial"`
	Kind    string    `json:"kind"`
	Managed bool      `json:"managed"`
	Seen    time.Time `json:"seen"`
	Groups  []string  `json:"groups"`
}

// acmeServer is the vendor's server.
type acmeServer struct {
	*vendortest.Server
	secret string

	mu       sync.Mutex
	devices  []acmeDeviceJSON
	tokens   map[string]bool // whether it is valid
	lifetime int             // of a token, in seconds
}

const (
	tokenPath     = "/oauth/token"
	tokenEndpoint = "oauth/token" // as faults and counts name it
	acmeClient    = "the-connector"
)

// started starts an acmeServer. At the end of the test its violations are failures.
func started(t *testing.T, serials ...string) *acmeServer {
	t.Helper()
	s := newServer(t)
	for _, serial := range serials {
		s.devices = append(s.devices, acmeDeviceJSON{serial, string(posture.Computer), true, time.Now(), nil})
	}
	t.Cleanup(func() {
		for _, violation := range s.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return s
}

func newServer(t *testing.T, names ...string) *acmeServer {
	t.Helper()
	s := &acmeServer{secret: "secret-" + rand.Text(), tokens: map[string]bool{}, lifetime: 599}
	server, err := vendortest.New(vendortest.API{
		Endpoint: func(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/") },
		Handler:  s, AtOnce: 5, Names: names,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Server = server
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return s
}

// ServeHTTP is the vendor without faults.
func (s *acmeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "); {
	case r.URL.Path == tokenPath && r.Method == http.MethodPost:
		if r.PostFormValue("client_id") != acmeClient || r.PostFormValue("client_secret") != s.secret {
			answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client", "error_description": vendortest.Marker})
			return
		}
		token := "token-" + rand.Text()
		s.tokens[token] = true
		answer(w, http.StatusOK, map[string]any{"access_token": token, "token_type": "Bearer", "expires_in": s.lifetime})
	case r.URL.Path != "/devices" || r.Method != http.MethodGet:
		answer(w, http.StatusNotFound, map[string]string{"error": vendortest.Marker})
	case !s.tokens[bearer] && r.Header.Get("X-Api-Key") != s.secret:
		answer(w, http.StatusUnauthorized, map[string]string{"error": vendortest.Marker})
	default:
		found := []acmeDeviceJSON{}
		for _, d := range s.devices {
			if strings.EqualFold(d.Serial, r.URL.Query().Get("serial")) {
				found = append(found, d)
			}
		}
		answer(w, http.StatusOK, map[string]any{"devices": found})
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (s *acmeServer) revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.tokens)
}

// secrets are what no error may hold.
func (s *acmeServer) secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []string{vendortest.Marker, s.secret}
	for token := range s.tokens {
		all = append(all, token)
	}
	return all
}

func (s *acmeServer) replace(devices ...providertest.Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices = nil
	seen := time.Now() // one time for all
	for _, d := range devices {
		s.devices = append(s.devices, acmeDeviceJSON{d.Identifier, string(d.Type), !d.Unmanaged, seen.Add(-d.Seen), d.Groups})
	}
}

// options are those for the server, with client credentials.
func (s *acmeServer) options(t *testing.T) vendorhttp.Options {
	t.Helper()
	base, err := vendorhttp.ParseBase(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return vendorhttp.Options{
		Vendor:  vendorhttp.Vendor{Name: "Acme", Server: "an Acme server", Variable: "ACME_URL"},
		Base:    base,
		RootCAs: s.CertPool(),
		Auth: vendorhttp.ClientCredentials{
			ID: acmeClient, Secret: config.NewSecret([]byte(s.secret)), Path: tokenPath, Remedy: "check ACME_SECRET",
		},
	}
}

func opened(o vendorhttp.Options) *acme { return &acme{vendorhttp.New(o)} }

const (
	serial = "C02XK1ABJHD2"
	// ample is enough time for a lookup to succeed on a busy machine.
	ample = time.Minute
	// whole is the time that a lookup for step-ca has.
	whole = 8500 * time.Millisecond
)

func query(t *testing.T, serial string) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(serial)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: posture.Computer, RequestID: rand.Text()}
}

func lookup(t *testing.T, p posture.Provider, serial string, limit time.Duration) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	return p.Lookup(ctx, query(t, serial))
}

// finds insists on the device.
func finds(t *testing.T, p posture.Provider, serial string) {
	t.Helper()
	if device, err := lookup(t, p, serial, ample); err != nil || device.Identifier != serial {
		t.Fatalf("Lookup(%q) = %+v, %v, want the device", serial, device, err)
	}
}
