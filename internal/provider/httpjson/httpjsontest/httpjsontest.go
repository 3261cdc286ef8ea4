// Package httpjsontest has fake servers of services that the provider http has presets for: Snipe-IT, SimpleMDM and
// NetBox. They are strict: each refuses what the service refuses, in the service's own form, and records what a client
// must not do as a violation. They were written from public documentation and source, and not compared with a live service.
package httpjsontest

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// The endpoints, as faults and counts name them.
const (
	Lookup    = "lookup"
	List      = "list"
	Elsewhere = "elsewhere"
)

// Device is a record. Each service shows what it knows of it, in its own words.
type Device struct {
	Serial  string `json:"serial"`
	UDID    string `json:"udid,omitempty"`
	Name    string `json:"name,omitempty"`
	Model   string `json:"model,omitempty"`
	Version string `json:"version,omitempty"` // of the operating system
	// Unmanaged: the device is not enrolled, not deployed or not active.
	Unmanaged bool `json:"unmanaged,omitempty"`
	// Deleted: the record is one of the trash, where the service has one.
	Deleted bool `json:"deleted,omitempty"`
	// LastSeen is zero where the service has not heard from the device.
	LastSeen time.Time `json:"last_seen,omitzero"`
	Groups   []string  `json:"groups,omitempty"`
	User     *User     `json:"user,omitempty"`
}

// User is the one to whom a device is assigned.
type User struct {
	Username string `json:"username"`
	RealName string `json:"real_name"`
	Email    string `json:"email"`
	Position string `json:"position"`
}

// Options say which server is simulated.
type Options struct {
	// Token is the credential that is accepted; by default a random one.
	Token string `json:"token,omitempty"`
	// Devices is the inventory.
	Devices []Device `json:"devices,omitempty"`
	// PageLimit bounds the size of a page below what the service allows.
	PageLimit int `json:"page_limit,omitempty"`
	// IgnoresFilters: filters have no effect, as in a release that does not know them; every record is in the answer.
	IgnoresFilters bool `json:"ignores_filters,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`
	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
}

// service is what one of the fake services adds to a Server.
type service interface {
	endpoint(r *http.Request) string
	serve(s *Server, w http.ResponseWriter, r *http.Request)
}

// Server is a fake server of one service. Its methods may be called at any time.
type Server struct {
	*vendortest.Server
	options Options

	mu      sync.Mutex
	records []record
	lastID  int
}

// record is a device with the number that the service gave it.
type record struct {
	Device
	id int
}

// newServer prepares a Server.
func newServer(options Options, of service) (*Server, error) {
	if options.Token == "" {
		options.Token = "token" + rand.Text()
	}
	s := &Server{options: options}
	s.Replace(options.Devices...)
	var err error
	s.Server, err = vendortest.New(vendortest.API{
		Handler:  http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { of.serve(s, w, r) }),
		Endpoint: of.endpoint, Address: options.Address, Names: options.Names,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare server: %w", err)
	}
	return s, nil
}

// Token is the credential that the server accepts.
func (s *Server) Token() string { return s.options.Token }

// Secrets returns what must not be in any error.
func (s *Server) Secrets() []string { return []string{s.options.Token, vendortest.Marker} }

// Replace makes these devices, and no others, the inventory. Numbers are never given twice.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.records = nil
	for _, d := range devices {
		s.lastID++
		s.records = append(s.records, record{d, s.lastID})
	}
}

// where are the records that fit, in the order of their numbers.
func (s *Server) where(fits func(Device) bool) []record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []record
	for _, r := range s.records {
		if fits(r.Device) {
			found = append(found, r)
		}
	}
	return found
}

// page is a part of the records.
func page(all []record, offset, limit int) []record {
	offset = min(max(offset, 0), len(all))
	return slices.Clone(all[offset:min(offset+limit, len(all))])
}

// number reads a parameter of a query that is a whole number: standard where it is missing, and false where it is no
// number from least to most.
func number(r *http.Request, name string, standard, least, most int) (int, bool) {
	text := r.URL.Query().Get(name)
	if text == "" {
		return standard, true
	}
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= least && n <= most
}

// limited is the size of a page that the server gives for what was asked for.
func (s *Server) limited(asked int) int {
	if s.options.PageLimit > 0 {
		return min(asked, s.options.PageLimit)
	}
	return asked
}

// checkMethod refuses everything but reading: a connector never changes an inventory.
func (s *Server) checkMethod(w http.ResponseWriter, r *http.Request, body any) bool {
	if r.Method == http.MethodGet {
		return true
	}
	s.Violate("%s %s: an inventory is only read", r.Method, r.URL.Path)
	writeJSON(w, http.StatusMethodNotAllowed, body)
	return false
}

// only reports parameters of a query that the service does not know, or that come twice: it would ignore some of them.
func (s *Server) only(r *http.Request, names ...string) {
	for name, values := range r.URL.Query() {
		if !slices.Contains(names, name) || len(values) != 1 {
			s.Violate("%s: the parameter %s is unknown or comes %d times", r.URL.Path, name, len(values))
		}
	}
}

// acceptsJSON reports whether a client asks for JSON, as frameworks decide it.
func acceptsJSON(r *http.Request) bool {
	first, _, _ := strings.Cut(r.Header.Get("Accept"), ",")
	return strings.Contains(first, "/json") || strings.Contains(first, "+json")
}

// orNull is a text, or null where it is empty.
func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false) // no service does
	_ = encoder.Encode(body)     // its only error is that the client has left
}
