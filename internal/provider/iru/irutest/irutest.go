// Package irutest simulates the API of Iru (formerly Kandji): the list of devices and the details of one, with the vendor's
// quirks and refusals. It is strict: it refuses what Iru would refuse, and records what a client must not do as a violation.
package irutest

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
	Details   = "details"
	Elsewhere = "elsewhere"
)

// The permissions that a token can have, by the names that the console shows.
const (
	DeviceList    = "Device list"
	DeviceDetails = "Device details"
)

const (
	// atOnce is how many requests the connector sends at once. Iru names no limit of its own.
	atOnce = 5
	// hourlyLimit is how many requests a tenant has in an hour, over all its tokens.
	hourlyLimit = 10_000
	// maxPage is how many devices one answer has at most.
	maxPage = 300
)

// Options say which tenant is simulated. The zero Options are one with a token that may read everything.
type Options struct {
	// Token is the API token; by default a random one.
	Token string `json:"token,omitempty"`
	// Permissions are those of the token; by default all.
	Permissions []string `json:"permissions,omitempty"`
	// NoTenant makes the gateway answer every request, as it does for a host name that belongs to no tenant.
	NoTenant bool `json:"no_tenant,omitempty"`
	// HourlyLimit is how many requests are answered in an hour; by default as many as the vendor allows.
	HourlyLimit int `json:"hourly_limit,omitempty"`
	// RetryAfter is the header of a 429; by default there is none, as the vendor documents none.
	RetryAfter string `json:"retry_after,omitempty"`
	// PageLimit bounds a page below the vendor's own 300, also where the client asks for more.
	PageLimit int `json:"page_limit,omitempty"`
	// IgnoreFilter makes the server ignore serial_number, as one does that has renamed it.
	IgnoreFilter bool `json:"ignore_filter,omitempty"`
	// Devices is the inventory.
	Devices []Device `json:"devices,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`

	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
	// Seen is called with each request, before the answer; it may be nil.
	Seen func(*http.Request) `json:"-"`
	// Now is the clock of the hourly limit.
	Now func() time.Time `json:"-"`
}

// Server is a simulated tenant. Its methods may be called at any time.
type Server struct {
	*vendortest.Server

	mu      sync.Mutex
	options Options
	revoked []string // tokens that were valid
	lastID  int
	hour    hour
}

// New prepares a server; Start starts it.
func New(options Options) (*Server, error) {
	if options.Token == "" {
		options.Token = "token-" + rand.Text()
	}
	if options.Permissions == nil {
		options.Permissions = []string{DeviceList, DeviceDetails}
	}
	if options.HourlyLimit == 0 {
		options.HourlyLimit = hourlyLimit
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	devices := options.Devices
	options.Devices = nil
	s := &Server{options: options}
	s.Add(devices...)
	var err error
	s.Server, err = vendortest.New(vendortest.API{
		Handler: http.HandlerFunc(s.serve), Endpoint: endpointOf, AtOnce: atOnce, Address: options.Address, Names: options.Names,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare server: %w", err)
	}
	return s, nil
}

// Token is the API token.
func (s *Server) Token() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Token
}

// SetPermissions replaces the permissions of the token.
func (s *Server) SetPermissions(permissions ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Permissions = slices.Clone(permissions)
}

// Revoke makes the token invalid, as an administrator or its expiry does. Token returns the one that replaces it.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked = append(s.revoked, s.options.Token)
	s.options.Token = "token-" + rand.Text()
}

// Secrets are what no error may hold.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{vendortest.Marker, s.options.Token, recoveryKey}, s.revoked...)
}
