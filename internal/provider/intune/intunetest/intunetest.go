// Package intunetest simulates Microsoft Intune: the token endpoint of Microsoft Entra, and what Microsoft Graph has of
// managed devices, their groups and their users, as far as lookups and lists of devices use it, with the vendor's quirks and
// refusals. It is strict: it refuses what Microsoft would refuse, and records what a client must not do as a violation. Both
// hosts are one server, because their paths differ.
package intunetest

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// The endpoints, as faults and counts name them.
const (
	Token          = "token"
	ManagedDevices = "managed-devices"
	Groups         = "groups"
	Users          = "user"
	Elsewhere      = "elsewhere"
)

// The application permissions that matter here.
const (
	ReadDevices      = "DeviceManagementManagedDevices.Read.All"
	ReadEntraDevices = "Device.Read.All"
	ReadGroups       = "GroupMember.Read.All"
	ReadUsers        = "User.Read.All"
)

// The limits of Intune: so many requests of one application in one tenant within the period.
const (
	mostRequests = 2000
	period       = 20 * time.Second
)

// defaultResource is what tokens are for in the worldwide cloud.
const defaultResource = "https://graph.microsoft.com"

// Options say which tenant is simulated. The zero Options are one with an application that may read everything.
type Options struct {
	// TenantID is the GUID or the domain of the tenant; by default a GUID.
	TenantID string `json:"tenant_id,omitempty"`
	// Resource is the Graph host that scopes name; by default that of the worldwide cloud.
	Resource string `json:"resource,omitempty"`
	// Applications are the app registrations; by default one with a secret, that may read everything.
	Applications []Application `json:"applications,omitempty"`
	// PageLimit bounds the size of a page, also where the client asks for more.
	PageLimit int `json:"page_limit,omitempty"`
	// IgnoreFilter answers a search with all devices, as Graph does for a property that it cannot filter by.
	IgnoreFilter bool `json:"ignore_filter,omitempty"`
	// Contains makes a search find serial numbers that only contain what is asked for.
	Contains bool `json:"contains,omitempty"`
	// NextLink replaces the links to next pages.
	NextLink string `json:"next_link,omitempty"`
	// MostRequests replaces the limit of requests within 20 seconds; it may be smaller only.
	MostRequests int `json:"most_requests,omitempty"`
	// Delay is how long each answer takes; in nanoseconds where Options are written as JSON.
	Delay time.Duration `json:"delay,omitempty"`
	// Devices is the inventory.
	Devices []Device `json:"devices,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`

	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
	// Seen is called with each request, before the answer; it may be nil.
	Seen func(*http.Request) `json:"-"`
	// Now is the clock that decides when tokens expire; Expire puts it forward.
	Now func() time.Time `json:"-"`
}

// Application is an app registration.
type Application struct {
	ID string `json:"id"`
	// Secret is its client secret; none is accepted where it is empty.
	Secret string `json:"secret,omitempty"`
	// SecretExpired: the secret was right once.
	SecretExpired bool `json:"secret_expired,omitempty"`
	// Certificate is the one that is uploaded, in PEM; no assertion is accepted where it is empty.
	Certificate string `json:"certificate,omitempty"`
	// Permissions have admin consent.
	Permissions []string `json:"permissions"`
	// ExpiresIn is the lifetime of its tokens in seconds.
	ExpiresIn int `json:"expires_in"`
}

// AllPermissions are those that the connector can use.
func AllPermissions() []string { return []string{ReadDevices, ReadEntraDevices, ReadGroups, ReadUsers} }

// Server is a simulated tenant. Its methods may be called at any time.
type Server struct {
	*vendortest.Server

	mu      sync.Mutex
	options Options
	devices []Device
	serials map[string][]int // places in devices, by the folded serial number
	entra   map[string]int   // likewise, by the Entra device ID
	users   map[string]int
	lastID  int
	tokens  map[string]*token
	used    map[string]bool // IDs of assertions
	skew    time.Duration
	issued  int
	recent  []time.Time // when requests to Graph came, within the period
	sizes   []int       // of the pages of lists
}

// New prepares a server; Start starts it.
func New(options Options) (*Server, error) {
	if options.TenantID == "" {
		options.TenantID = "8f0c2b1e-5d3a-4c7b-9e21-0a6b4d7c1f10"
	}
	if options.Resource == "" {
		options.Resource = defaultResource
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.MostRequests == 0 || options.MostRequests > mostRequests {
		options.MostRequests = mostRequests
	}
	if len(options.Applications) == 0 {
		options.Applications = []Application{{
			ID: "3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01", Secret: "secret~" + rand.Text(), Permissions: AllPermissions(), ExpiresIn: 3599,
		}}
	}
	for _, a := range options.Applications {
		if _, err := certificateOf(a); a.Certificate != "" && err != nil {
			return nil, err
		}
	}
	devices := options.Devices
	options.Devices = nil
	s := &Server{options: options, tokens: map[string]*token{}, used: map[string]bool{}}
	s.Replace(devices...)
	var err error
	s.Server, err = vendortest.New(vendortest.API{
		Handler: http.HandlerFunc(s.serve), Endpoint: s.endpoint, Address: options.Address, Names: options.Names,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare server: %w", err)
	}
	return s, nil
}

func certificateOf(a Application) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(a.Certificate))
	if block == nil {
		return nil, errors.New("the certificate of an application is not PEM")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("the certificate of an application: %w", err)
	}
	return certificate, nil
}

// TenantID is the tenant's.
func (s *Server) TenantID() string { return s.options.TenantID }

// Application returns the first app registration.
func (s *Server) Application() Application {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Applications[0]
}

// SetApplications replaces the app registrations. Tokens that were issued stay valid with the permissions that they had.
func (s *Server) SetApplications(applications ...Application) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Applications = slices.Clone(applications)
}

// Change alters the options that spoil answers: IgnoreFilter, Contains, NextLink, PageLimit, Delay.
func (s *Server) Change(change func(*Options)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.options)
}

// PageSizes are how many devices the pages of lists were asked for.
func (s *Server) PageSizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.sizes)
}

func (s *Server) now() time.Time { return s.options.Now().Add(s.skew) }
