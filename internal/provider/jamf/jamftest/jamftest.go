// Package jamftest simulates a Jamf Pro server: the token endpoint, the Jamf Pro API and the Classic API,
// as far as lookups and lists of devices use them, with the vendor's quirks and refusals. It is strict: it refuses what
// Jamf would refuse, and records what a client must not do as a violation.
package jamftest

import (
	"crypto/rand"
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
	Token            = "token"
	OldToken         = "old-token"
	InvalidateToken  = "invalidate-token"
	Version          = "version"
	Auth             = "auth"
	Computers        = "computers-v" // and the number of the version
	MobileDevices    = "mobile-devices"
	Departments      = "departments"
	Department       = "department"
	ClassicComputers = "classic-computers"
	ClassicMobile    = "classic-mobile-devices"
	Elsewhere        = "elsewhere"
)

// The privileges that can be given to a client.
const (
	ReadComputers     = "Read Computers"
	ReadMobileDevices = "Read Mobile Devices"
	ReadDepartments   = "Read Departments"
)

// atOnce is how many connections Jamf wants from one client.
const atOnce = 5

// Options say which server is simulated. The zero Options are a current server with one client.
type Options struct {
	// Version is what the server says its version is; by default that of a current one.
	Version string `json:"version,omitempty"`
	// ContextPath is in front of every path, with a slash at its beginning and none at its end.
	ContextPath string `json:"context_path,omitempty"`
	// ComputerVersions are the versions of computers-inventory; by default those that Version has.
	ComputerVersions []int `json:"computer_versions,omitempty"`
	// OnlyOldToken leaves out /api/v1/oauth/token; so does a Version before 11.23.
	OnlyOldToken bool `json:"only_old_token,omitempty"`
	// PageLimit bounds the size of a page, also where the client asks for more.
	PageLimit int `json:"page_limit,omitempty"`
	// Fuzzy makes == in a filter match values that only contain what is asked for.
	Fuzzy bool `json:"fuzzy,omitempty"`
	// Lists says how lists are spoiled.
	Lists Lists `json:"lists,omitzero"`
	// Delay is how long each answer takes; in nanoseconds where Options are written as JSON.
	Delay time.Duration `json:"delay,omitempty"`
	// Quirks are those of the JSON of the Classic API.
	Quirks Quirks `json:"quirks,omitzero"`
	// Clients are the API clients; by default one that may read everything.
	Clients []Client `json:"clients,omitempty"`
	// Devices is the inventory.
	Devices []Device `json:"devices,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`

	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
	// Seen is called with each request, before the answer; it may be nil.
	Seen func(*http.Request) `json:"-"`
	// Now is the clock that decides when tokens expire; Advance puts it forward.
	Now func() time.Time `json:"-"`
}

// Client is an API client.
type Client struct {
	ID         string   `json:"id"`
	Secret     string   `json:"secret"`
	Privileges []string `json:"privileges"`
	// ExpiresIn is the lifetime of its tokens in seconds.
	ExpiresIn int `json:"expires_in"`
}

// Server is a simulated Jamf Pro server. Its methods may be called at any time.
type Server struct {
	*vendortest.Server
	number version

	mu      sync.Mutex
	options Options
	tokens  map[string]*token
	skew    time.Duration
	issued  int
	lastID  int
	groups  []string           // the ID of a group is its place, from 1
	depts   []string           // likewise
	sorted  map[bool]inventory // of computers, and of mobile devices
	sizes   []int              // of the pages of lists
}

// defaultVersion is that of a current server.
const defaultVersion = "11.30.1-t1784000000000"

// New prepares a server; Start starts it.
func New(options Options) (*Server, error) {
	if options.Version == "" {
		options.Version = defaultVersion
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if len(options.Clients) == 0 {
		options.Clients = []Client{{
			ID: "client-" + rand.Text(), Secret: "secret-" + rand.Text(),
			Privileges: []string{ReadComputers, ReadMobileDevices, ReadDepartments}, ExpiresIn: 599,
		}}
	}
	number := parseVersion(options.Version)
	if options.ComputerVersions == nil {
		options.ComputerVersions = number.computerVersions()
	}
	options.OnlyOldToken = options.OnlyOldToken || number.before(version{11, 23})
	devices := options.Devices
	options.Devices = nil
	s := &Server{number: number, options: options, tokens: map[string]*token{}, sorted: map[bool]inventory{}}
	s.Add(devices...)
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

// Client returns the first API client.
func (s *Server) Client() Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Clients[0]
}

// SetClients replaces the API clients. Tokens that were issued stay valid with the privileges that they
// had, as at Jamf.
func (s *Server) SetClients(clients ...Client) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.options.Clients = slices.Clone(clients)
}

// Advance puts the server's clock forward.
func (s *Server) Advance(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += by
}

// version is a server version; endpoints depend on it.
type version struct{ major, minor int }

// parseVersion takes what cannot be read for a current version.
func parseVersion(text string) version {
	parts := strings.Split(text, ".")
	major, err := strconv.Atoi(parts[0])
	if err != nil || len(parts) < 2 {
		return parseVersion(defaultVersion)
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return parseVersion(defaultVersion)
	}
	return version{major, minor}
}

func (v version) before(other version) bool {
	return v.major < other.major || v.major == other.major && v.minor < other.minor
}

// computerVersions are the versions of computers-inventory that a server has.
func (v version) computerVersions() []int {
	versions := []int{1, 2, 3, 4}
	switch {
	case v.before(version{11, 0}):
		return versions[:1]
	case v.before(version{11, 15}):
		return versions[:2]
	case v.before(version{11, 30}):
		return versions[:3]
	}
	return versions
}
