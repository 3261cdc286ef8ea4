// Package appletest simulates the API of Apple Business and of Apple School Manager: the token endpoint, and what lookups and
// lists of devices use of the API. It is strict: it refuses what Apple would refuse, and records what a client must not do as a
// violation.
package appletest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
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
	OrgDevice      = "orgDevices"
	OrgDevices     = "orgDevices-list"
	AssignedServer = "assignedServer"
	Elsewhere      = "elsewhere"
)

// Limits of the server. Apple publishes none; these are what clients have met, or less.
const (
	atOnce          = 4 // streams of one client; more were reset
	requestsASecond = 60
	tokensAMinute   = 30
	maxPage         = 1000
	defaultPage     = 100
)

// The two products. The prefix of a client ID says to which one it belongs.
const (
	businessPrefix = "BUSINESSAPI."
	schoolPrefix   = "SCHOOLAPI."
)

// Options say which server is simulated. The zero Options are Apple Business with one API account.
type Options struct {
	// School makes it Apple School Manager.
	School bool `json:"school,omitempty"`
	// PageLimit bounds the size of a page, also where the client asks for more.
	PageLimit int `json:"page_limit,omitempty"`
	// Unassigned is how the question for the MDM server of a device without one is answered: "null" or "404"; by default null.
	Unassigned string `json:"unassigned,omitempty"`
	// Clients are the API accounts; by default one that may read devices.
	Clients []Client `json:"clients,omitempty"`
	// Devices are those of the organization.
	Devices []Device `json:"devices,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`

	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
	// Now is the clock that decides when tokens expire; Advance puts it forward.
	Now func() time.Time `json:"-"`
}

// Client is an API account.
type Client struct {
	ID    string `json:"id"`
	KeyID string `json:"key_id"`
	// PrivateKey is in PEM, as the console gives it out once. The server itself keeps the public half only.
	PrivateKey string `json:"private_key"`
	// ExpiresIn is the lifetime of its tokens in seconds; 0 is an hour.
	ExpiresIn int `json:"expires_in,omitempty"`
	// Inactive makes the token endpoint refuse it.
	Inactive bool `json:"inactive,omitempty"`
	// NoDevices is a role that may not read devices.
	NoDevices bool `json:"no_devices,omitempty"`
}

// NewClient returns an API account with a new key. Its label says SEC 1 while the content is PKCS #8, as Apple writes it.
func NewClient(prefix string) (Client, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return Client{}, fmt.Errorf("make key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return Client{}, fmt.Errorf("encode key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})
	return Client{ID: prefix + "9703f56c-10ce-4876-8f59-e78e5e23a152", KeyID: "d136aa66-0c3b-4bd4-9892-c20e8db024ab", PrivateKey: string(text)}, nil
}

// Server is a simulated API of Apple. Its methods may be called at any time.
type Server struct {
	*vendortest.Server

	mu         sync.Mutex
	options    Options
	keys       map[string]*ecdsa.PublicKey // by client ID and key ID
	tokens     map[string]*token
	used       map[string]bool // the jti of every assertion that was received
	assertions []string
	skew       time.Duration
	issued     int
	tokenTimes []time.Time
	times      []time.Time
	sizes      []int // of the pages of lists
}

// New prepares a server; Start starts it.
func New(options Options) (*Server, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if len(options.Clients) == 0 {
		prefix := businessPrefix
		if options.School {
			prefix = schoolPrefix
		}
		client, err := NewClient(prefix)
		if err != nil {
			return nil, err
		}
		options.Clients = []Client{client}
	}
	s := &Server{options: options, tokens: map[string]*token{}, used: map[string]bool{}}
	if err := s.SetClients(options.Clients...); err != nil {
		return nil, err
	}
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

// BaseURL replaces that of the API: APPLE_BUSINESS_BASE_URL.
func (s *Server) BaseURL() string { return s.URL() }

// TokenURL replaces that of the token endpoint: APPLE_BUSINESS_TOKEN_URL.
func (s *Server) TokenURL() string { return s.URL() + tokenPath }

// Client returns the first API account.
func (s *Server) Client() Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.Clients[0]
}

// SetClients replaces the API accounts. Tokens that were issued stay valid.
func (s *Server) SetClients(clients ...Client) error {
	keys := map[string]*ecdsa.PublicKey{}
	for _, c := range clients {
		block, _ := pem.Decode([]byte(c.PrivateKey))
		if block == nil {
			return fmt.Errorf("client %s: its key is not in PEM", c.ID)
		}
		parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			return fmt.Errorf("client %s: its key is not PKCS #8", c.ID)
		}
		key, isEC := parsed.(*ecdsa.PrivateKey)
		if !isEC || key.Curve != elliptic.P256() {
			return fmt.Errorf("client %s: its key is not one of P-256", c.ID)
		}
		keys[c.ID+" "+c.KeyID] = &key.PublicKey
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys, s.options.Clients = keys, slices.Clone(clients)
	return nil
}

// Advance puts the server's clock forward.
func (s *Server) Advance(by time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += by
}

// now is called with the lock.
func (s *Server) now() time.Time { return s.options.Now().Add(s.skew) }

// tooMany reports whether there were more requests in a period than allowed, this one included. It is called with the lock.
func tooMany(times *[]time.Time, now time.Time, period time.Duration, most int) bool {
	*times = append(slices.DeleteFunc(*times, func(t time.Time) bool { return now.Sub(t) >= period }), now)
	return len(*times) > most
}
