// Package addigytest simulates the API of Addigy, version 2, as far as lookups and lists of devices use it: one search, with
// the vendor's quirks, refusals, limit and lock-out. It is strict: it refuses what Addigy would refuse, and records what a
// client must not do as a violation.
package addigytest

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// The endpoints, as faults and counts name them.
const (
	Devices   = "devices"
	Elsewhere = "elsewhere"
)

// ViewDevices is the permission that a search of devices needs.
const ViewDevices = "View Devices"

// The limits of Addigy: a client that sends more requests in the period is rejected for a day.
const (
	Requests = 1000
	Period   = 10 * time.Second
	Lockout  = 24 * time.Hour
	// MaxPage is the size of a page that the documentation names. What Addigy does with a larger one is not known.
	MaxPage = 100
	// atOnce is how many requests may be under way at once. Addigy has no such limit; the connector has.
	atOnce = 5
)

// Options say which tenant is simulated. The zero Options are one with a token that may view devices.
type Options struct {
	// Token is the API token; by default a new one.
	Token string `json:"token,omitempty"`
	// Permissions are those of the token; nil is ViewDevices.
	Permissions []string `json:"permissions,omitempty"`
	// IgnoreFilters makes a search return all devices, as Addigy does with a filter that it does not understand.
	IgnoreFilters bool `json:"ignore_filters,omitempty"`
	// Contains makes = in a filter match values that only contain what is asked for.
	Contains bool `json:"contains,omitempty"`
	// NullItems writes null in place of an empty list of devices.
	NullItems bool `json:"null_items,omitempty"`
	// NoPages is the number of pages of an empty list: 0, or 1.
	NoPages int `json:"no_pages,omitempty"`
	// PageLimit bounds the size of a page, also where the client asks for more; 0 is MaxPage.
	PageLimit int `json:"page_limit,omitempty"`
	// Lists says how lists are spoiled.
	Lists Lists `json:"lists,omitzero"`
	// Requests is how many requests the limit allows in Period; 0 is 1,000.
	Requests int `json:"requests,omitempty"`
	// Devices is the inventory.
	Devices []Device `json:"devices,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`

	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
	// Now is the clock of the limit and of the lock-out.
	Now func() time.Time `json:"-"`
}

// Lists says how lists, which are searches without a filter, are spoiled. The zero Lists are sound. Pages count from 1.
type Lists struct {
	// RepeatFrom is the first page that has the records of the page before it; 0 is none.
	RepeatFrom int `json:"repeat_from,omitempty"`
	// HalfFrom is the first page that lacks the second half of its records, and says so in its result_count; 0 is none.
	HalfFrom int `json:"half_from,omitempty"`
	// Total is added to the total, from page TotalFrom on.
	Total     int `json:"total,omitempty"`
	TotalFrom int `json:"total_from,omitempty"`
	// PageCount is added to the number of pages, from page TotalFrom on.
	PageCount int `json:"page_count,omitempty"`
}

// Server is a simulated Addigy. Its methods may be called at any time.
type Server struct {
	*vendortest.Server

	mu       sync.Mutex
	options  Options
	devices  []Device // in the order of their serial numbers
	lastID   int
	arrivals []time.Time // of requests within Period
	locked   time.Time   // when the lock-out ends; zero is none
	late     int         // requests that came during the lock-out
	sizes    []int       // of the pages of lists
}

// New prepares a server; Start starts it.
func New(options Options) (*Server, error) {
	if options.Token == "" {
		options.Token = "token-" + rand.Text()
	}
	if options.Permissions == nil {
		options.Permissions = []string{ViewDevices}
	}
	if options.PageLimit == 0 {
		options.PageLimit = MaxPage
	}
	if options.Requests == 0 {
		options.Requests = Requests
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	devices := options.Devices
	options.Devices = nil
	s := &Server{options: options}
	s.Replace(devices...)
	var err error
	s.Server, err = vendortest.New(vendortest.API{
		Handler: http.HandlerFunc(s.serve), Endpoint: endpoint, AtOnce: atOnce, Address: options.Address, Names: options.Names,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare server: %w", err)
	}
	return s, nil
}

// BaseURL is the URL of the API's host.
func (s *Server) BaseURL() string { return s.URL() }

// Token is the API token that is valid now.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Token
}

// Secrets returns what no error may hold.
func (s *Server) Secrets() []string { return []string{vendortest.Marker, s.Token()} }

// Revoke makes the token invalid. Another one takes its place.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Token = "token-" + rand.Text()
}

// SetPermissions replaces the permissions of the token.
func (s *Server) SetPermissions(permissions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Permissions = slices.Clone(permissions)
}

// IgnoreFilters makes searches ignore their filters from now on, or not.
func (s *Server) IgnoreFilters(ignore bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.IgnoreFilters = ignore
}

// SpoilLists spoils lists from now on.
func (s *Server) SpoilLists(l Lists) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Lists = l
}

// LockOut rejects the tenant's requests for a day, as if another of its programs had sent too many.
func (s *Server) LockOut() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lock()
}

// lock begins the lock-out; s.mu is held.
func (s *Server) lock() { s.locked, s.late = s.options.Now().Add(Lockout), 0 }

// Unlock ends the lock-out.
func (s *Server) Unlock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = time.Time{}
}

// Late returns how many requests have come since the lock-out began.
func (s *Server) Late() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.late
}

// Sizes returns the sizes of the pages of lists that were asked for, in their order.
func (s *Server) Sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sizes)
}

// admit counts a request, and reports whether the limit lets it pass. The request that exceeds the limit is a violation; so is
// every one that follows a 429, except those that may have been under way then.
func (s *Server) admit() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now()
	if now.Before(s.locked) {
		if s.late++; s.late > atOnce {
			s.Violate("request %d since the lock-out began: each may make it longer", s.late)
		}
		return false
	}
	s.arrivals = slices.DeleteFunc(s.arrivals, func(at time.Time) bool { return now.Sub(at) >= Period })
	s.arrivals = append(s.arrivals, now)
	if len(s.arrivals) > s.options.Requests {
		s.Violate("%d requests within %v, %d are allowed: the tenant is locked out for %v", len(s.arrivals), Period, s.options.Requests, Lockout)
		s.lock()
		return false
	}
	return true
}
