package httpjson_test

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/provider/httpjson"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// assetsService is a hand-made service: tokens by client credentials, a key in another header, a search that may return
// other records, groups by a second request, and a list in pages.
type assetsService struct {
	mu      sync.Mutex
	devices []providertest.Device
	tokens  int // issued
	valid   bool
	server  *vendortest.Server
	// next is the link of a page; empty for the usual one.
	next func(page int) any
}

func (s *assetsService) endpoint(r *http.Request) string {
	switch {
	case r.URL.Path == "/oauth/token":
		return "token"
	case strings.HasSuffix(r.URL.Path, "/groups"):
		return "groups"
	case r.URL.Path == "/v1/all":
		return "list"
	}
	return "devices"
}

func (s *assetsService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.endpoint(r) == "token" {
		id, secret, _ := r.BasicAuth()
		if err := r.ParseForm(); err != nil || id != "connector" || secret != "hidden-secret" || r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("scope") != "read write" {
			s.server.Violate("a request for a token is wrong")
		}
		s.tokens++
		s.valid = true
		s.write(w, http.StatusOK, map[string]any{"access_token": "token-" + strconv.Itoa(s.tokens), "token_type": "Bearer", "expires_in": 3600})
		return
	}
	if r.Header.Get("X-Api-Key") != "other-secret" {
		s.server.Violate("a request without its key")
	}
	if r.Header.Get("Authorization") != "Bearer token-"+strconv.Itoa(s.tokens) || !s.valid {
		s.write(w, http.StatusUnauthorized, map[string]any{"error": vendortest.Marker})
		return
	}
	switch {
	case s.endpoint(r) == "groups":
		at, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/v1/devices/"), "/groups"))
		if err != nil || at >= len(s.devices) {
			s.server.Violate("groups of no device")
			return
		}
		s.write(w, http.StatusOK, map[string]any{"groups": groupsOf(s.devices[at]), "more": false})
	case s.endpoint(r) == "list":
		s.list(w, r.URL.Query())
	case r.URL.Path == "/v1/devices" && r.URL.Query().Has("serial"):
		found := []any{}
		for i, d := range s.devices {
			if strings.HasPrefix(strings.ToUpper(d.Identifier), strings.ToUpper(r.URL.Query().Get("serial"))[:3]) { // a sloppy search
				found = append(found, record(i, d))
			}
		}
		s.write(w, http.StatusOK, map[string]any{"devices": found, "more": false})
	default:
		s.server.Violate("a request to %s", r.URL.Path)
	}
}

func (s *assetsService) list(w http.ResponseWriter, query url.Values) {
	page, _ := strconv.Atoi(query.Get("page"))
	items := []any{}
	var next any
	if page < len(s.devices) {
		items = append(items, record(page, s.devices[page]))
	}
	if page+1 < len(s.devices) {
		next = "/v1/all?page=" + strconv.Itoa(page+1)
	}
	if s.next != nil {
		next = s.next(page)
	}
	s.write(w, http.StatusOK, map[string]any{"devices": items, "next": next, "total": len(s.devices)})
}

func groupsOf(d providertest.Device) []string {
	if d.Groups == nil {
		return []string{}
	}
	return d.Groups
}

func record(i int, d providertest.Device) map[string]any {
	state := "issued"
	if d.Unmanaged {
		state = "retired"
	}
	return map[string]any{"id": i, "sn": d.Identifier, "state": state, "name": "{{secret.token}} {{item.id}}", "seen": "2026-01-01T00:00:00Z", "asset": 9007199254740993}
}

func (s *assetsService) write(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

const assetsSection = `

base_url: URL
ca_file: CA
secrets: {token: {env: TOKEN}, key: {env: CLIENT}}
vars: {kind: devices}
auth:
  - {type: oauth2_client_credentials, token_url: "URL/oauth/token", client_id: connector, client_secret: "{{secret.token}}", client_auth: basic, scope: read write}
  - {type: header, name: X-Api-Key, value: "{{secret.key}}"}
limits: {timeout: LIMIT}
request: {path: "/v1/{{vars.kind}}", query: {serial: "{{serial}}"}}
select: {items: body.devices, more: body.more}
then:
  - {name: membership, request: {path: "/v1/devices/{{item.id}}/groups"}, more: body.more}
map:
  device.serial_number: item.sn
  device.managed: item.state == "issued"
  device.name: item.name
  device.last_seen: item.seen
  device.groups: membership.groups
  attributes.asset: item.asset
list: {request: {path: /v1/all, query: {page: "0"}}, items: body.devices, next: body.next, total: body.total}
`

// start starts the service and reads a section for it.
func (s *assetsService) start(t testing.TB, limit time.Duration, change func(section string) string) httpjson.Config {
	t.Helper()
	server, err := vendortest.New(vendortest.API{Handler: s, Endpoint: s.endpoint})
	if err != nil {
		t.Fatal(err)
	}
	s.server = server
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if block, _ := pem.Decode(server.CACertPEM()); block == nil {
		t.Fatal("the server has no CA certificate")
	}
	if err := os.WriteFile(ca, server.CACertPEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	section := strings.NewReplacer("URL", server.URL(), "CA\n", ca+"\n", "LIMIT", strconv.Itoa(int(min(limit, 9*time.Second).Milliseconds()))+"ms").Replace(assetsSection)
	if change != nil {
		section = change(section)
	}
	return configured(t, section)
}

func (s *assetsService) open(t testing.TB, limit time.Duration, devices []providertest.Device) *httpjson.Provider {
	t.Helper()
	s.devices = devices
	p, err := httpjson.New(s.start(t, limit, nil))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func serviceOf(t *testing.T, limit time.Duration, devices []providertest.Device) providertest.Service {
	t.Helper()
	s := &assetsService{}
	p := s.open(t, limit, devices)
	invalid := func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.valid = false
	}
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: p,
			Replace: func(devices ...providertest.Device) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.devices = devices
			},
			Secrets: func() []string {
				s.mu.Lock()
				defer s.mu.Unlock()
				secrets := []string{"hidden-secret", "other-secret", vendortest.Marker}
				for i := range s.tokens {
					secrets = append(secrets, "token-"+strconv.Itoa(i+1))
				}
				return secrets
			},
			Violations: s.server.Violations,
		},
		Server: s.server, Lookup: []string{"devices"}, List: []string{"list"}, Token: []string{"token"}, Expire: invalid, Revoke: invalid,
	}
}
