// Package fleettest simulates a Fleet server: the search of hosts, one host by its ID, their count, and the user of a token,
// with the vendor's quirks and refusals. It is strict: it refuses what Fleet would refuse, and records what a client must not
// do as a violation.
package fleettest

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// The endpoints, as faults and counts name them.
const (
	Hosts     = "hosts"
	Host      = "host"
	Count     = "count"
	Me        = "me"
	Elsewhere = "elsewhere"
)

const (
	// atOnce and perSecond are what the server accepts of one client. Fleet itself has no such limits; a proxy in front of
	// it may. A busy machine delays requests, so that more of them arrive within a second than were sent.
	atOnce    = 10
	perSecond = 300
	// largestPage is how many hosts a client may ask for in one request.
	largestPage = 1000
)

// Options say which server is simulated. The zero Options are a current server with one user, a global observer.
type Options struct {
	// Token is that of the API-only user; by default a random one.
	Token string `json:"token,omitempty"`
	// GlobalRole is the role of the user; by default observer. "none" is a user of teams only.
	GlobalRole string `json:"global_role,omitempty"`
	// Teams are those that a user without a global role may see.
	Teams []string `json:"teams,omitempty"`
	// Forbidden are endpoints that the user may not ask: an API-only user can be limited to some.
	Forbidden []string `json:"forbidden,omitempty"`
	// ContextPath is in front of every path, with a slash at its beginning and none at its end.
	ContextPath string `json:"context_path,omitempty"`
	// PageLimit bounds the size of a page, also where the client asks for more.
	PageLimit int `json:"page_limit,omitempty"`
	// IgnorePage answers every page of a search or list with the first one.
	IgnorePage bool `json:"ignore_page,omitempty"`
	// IgnoreQuery answers a search with all hosts.
	IgnoreQuery bool `json:"ignore_query,omitempty"`
	// OldNames leaves out fleet_id and fleet_name, NewNames team_id and team_name; by default a host has all four.
	OldNames bool `json:"old_names,omitempty"`
	NewNames bool `json:"new_names,omitempty"`
	// CountMore is added to the count of hosts.
	CountMore int `json:"count_more,omitempty"`
	// Devices is the inventory.
	Devices []Device `json:"devices,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`

	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
	// Now is the clock of times in hosts; nil is time.Now.
	Now func() time.Time `json:"-"`
}

// Server is a simulated Fleet server. Its methods may be called at any time.
type Server struct {
	*vendortest.Server

	mu      sync.Mutex
	options Options
	devices []Device
	lastID  uint64
	seen    []time.Time // of the requests of the last second
	sizes   []int       // of the pages that were asked for
}

// New prepares a server; Start starts it.
func New(options Options) (*Server, error) {
	if options.Token == "" {
		options.Token = "token-" + rand.Text()
	}
	if options.GlobalRole == "" {
		options.GlobalRole = "observer"
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &Server{options: options}
	s.Replace(options.Devices...)
	var err error
	s.Server, err = vendortest.New(vendortest.API{
		Handler: http.HandlerFunc(s.serve), Endpoint: s.endpoint, AtOnce: atOnce, Address: options.Address, Names: options.Names,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare server: %w", err)
	}
	return s, nil
}

// BaseURL is the URL with the context path.
func (s *Server) BaseURL() string { return s.URL() + s.options.ContextPath }

// Token returns the token of the user.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Token
}

// Revoke makes the token invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Token = "token-" + rand.Text()
}

// Secrets are what no error may hold.
func (s *Server) Secrets() []string { return []string{s.Token(), vendortest.Marker} }

// Replace makes the given records, and no others, the inventory.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices = slices.Clone(devices)
	for i := range s.devices {
		if s.devices[i].ID == 0 {
			s.lastID++
			s.devices[i].ID = s.lastID
		}
	}
	slices.SortStableFunc(s.devices, func(a, b Device) int { return cmp.Compare(a.ID, b.ID) })
}

// Change alters every record with the serial number.
func (s *Server) Change(serial string, change func(*Device)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.devices {
		if s.devices[i].Serial == serial {
			change(&s.devices[i])
		}
	}
}

// Set changes the options; those that are used by New only have no effect.
func (s *Server) Set(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.options)
}

// Sizes returns the sizes of the pages that were asked for, in their order.
func (s *Server) Sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sizes)
}

// state is what a request is answered from.
func (s *Server) state() (Options, []Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options, slices.Clone(s.devices)
}

// tooMany counts a request, and reports whether there were too many within a second.
func (s *Server) tooMany() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.seen = append(slices.DeleteFunc(s.seen, func(at time.Time) bool { return now.Sub(at) > time.Second }), now)
	return len(s.seen) > perSecond
}

func (s *Server) endpoint(r *http.Request) string {
	path, inContext := strings.CutPrefix(r.URL.EscapedPath(), s.options.ContextPath+"/api/v1/fleet/")
	id, byID := strings.CutPrefix(path, "hosts/")
	switch {
	case !inContext:
		return Elsewhere
	case path == "hosts":
		return Hosts
	case path == "hosts/count":
		return Count
	case path == "me":
		return Me
	case byID && id != "" && !strings.Contains(id, "/"):
		return Host
	}
	return Elsewhere
}
