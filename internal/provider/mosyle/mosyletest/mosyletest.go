// Package mosyletest simulates the API of Mosyle, in both of its products: Business (and Fuse), and Manager. It has the login
// and the list of devices, as far as lookups and lists use them, with the vendor's quirks and refusals. It is strict: it refuses
// what Mosyle would refuse, and records what a client must not do as a violation.
package mosyletest

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// The products.
const (
	Business = "business"
	Manager  = "manager"
)

// The endpoints, as faults and counts name them. The list of devices is one for each operating system, because a request is
// for one of them.
const (
	Login     = "login"
	Mac       = "devices mac"
	IOS       = "devices ios"
	TVOS      = "devices tvos"
	VisionOS  = "devices visionos"
	Devices   = "devices" // a request for none of them
	Elsewhere = "elsewhere"
)

// The limits of the simulated server. Mosyle publishes none.
const (
	atOnce      = 3
	perSecond   = 30
	defaultSize = 50
	largestSize = 200
	tokenLife   = 24 * time.Hour
)

// Options say which server is simulated. The zero Options are Mosyle Business with credentials of their own.
type Options struct {
	// Product is Business or Manager; by default Business.
	Product string `json:"product,omitempty"`
	// AccessToken, Email and Password are the credentials; by default random ones.
	AccessToken string `json:"access_token,omitempty"`
	Email       string `json:"email,omitempty"`
	Password    string `json:"password,omitempty"`
	// Quirks are what servers were seen to do.
	Quirks Quirks `json:"quirks,omitzero"`
	// PerSecond is how many requests a second are answered, those for tokens not counted; by default 30.
	PerSecond int `json:"per_second,omitempty"`
	// Devices is the inventory.
	Devices []Device `json:"devices,omitempty"`
	// Names are those of the server's certificate; by default it is for this machine.
	Names []string `json:"names,omitempty"`

	// Address is where to listen; by default a free port of 127.0.0.1.
	Address string `json:"-"`
	// Now is the clock that decides when tokens expire.
	Now func() time.Time `json:"-"`
}

// Quirks are those of answers.
type Quirks struct {
	// IgnoresFilter makes serial_numbers of no effect: the answer has all devices of the operating system.
	IgnoresFilter bool `json:"ignores_filter,omitempty"`
	// IgnoresOS makes os of no effect.
	IgnoresOS bool `json:"ignores_os,omitempty"`
	// IgnoresPage answers every page with the first one.
	IgnoresPage bool `json:"ignores_page,omitempty"`
	// PagesFromZero makes 0 the number of the first page, in place of 1.
	PagesFromZero bool `json:"pages_from_zero,omitempty"`
	// PageLimit bounds the size of a page.
	PageLimit int `json:"page_limit,omitempty"`
	// WithoutPaging leaves rows, page and page_size out of answers.
	WithoutPaging bool `json:"without_paging,omitempty"`
	// RowsOfPage makes rows the number of records of the page, in place of that of the list.
	RowsOfPage bool `json:"rows_of_page,omitempty"`
	// RowsTooMany makes rows one more than there are.
	RowsTooMany bool `json:"rows_too_many,omitempty"`
	// TagsAsList writes tags as a list, in place of a text with commas.
	TagsAsList bool `json:"tags_as_list,omitempty"`
	// StatusIN writes IN for INSTALLED.
	StatusIN bool `json:"status_in,omitempty"`
	// EmptyList answers with an empty list where there is no device, in place of DEVICES_NOTFOUND.
	EmptyList bool `json:"empty_list,omitempty"`
	// AttributeUniqueID names the ID of a custom attribute CustomAttributeUniqueID, in place of UniqueID.
	AttributeUniqueID bool `json:"attribute_unique_id,omitempty"`
	// ExpiredIs403 answers 403 for an expired token, in place of 401.
	ExpiredIs403 bool `json:"expired_is_403,omitempty"`
	// RefusesAddress answers 403 to everything, as where the access token is limited to other addresses.
	RefusesAddress bool `json:"refuses_address,omitempty"`
	// Refuses is the status of every answer about devices, such as MISSING_DATA.
	Refuses string `json:"refuses,omitempty"`
}

// Device is a record. A field that is empty is what Mosyle writes where it does not know.
type Device struct {
	Serial     string      `json:"serial"`
	UDID       string      `json:"udid,omitempty"`
	Name       string      `json:"name,omitempty"`
	OS         string      `json:"os,omitempty"` // mac, ios, tvos or visionos; by default mac
	OSVersion  string      `json:"os_version,omitempty"`
	Model      string      `json:"model,omitempty"`      // such as Mac15,12
	ModelName  string      `json:"model_name,omitempty"` // such as MacBook Air
	Status     string      `json:"status,omitempty"`     // by default that of an enrolled device
	Deleted    bool        `json:"deleted,omitempty"`
	Supervised *bool       `json:"supervised,omitempty"`
	LastBeat   time.Time   `json:"last_beat,omitzero"`
	Enrolled   time.Time   `json:"enrolled,omitzero"`
	User       User        `json:"user,omitzero"`
	Location   string      `json:"location,omitempty"`
	AssetTag   string      `json:"asset_tag,omitempty"`
	Tags       []string    `json:"tags,omitempty"`
	Attributes []Attribute `json:"attributes,omitempty"`
	// Raw replaces members of the record by any value, and adds others.
	Raw map[string]any `json:"raw,omitempty"`
	// Without are members that the record lacks.
	Without []string `json:"without,omitempty"`
	// Broken makes the record something else than an object.
	Broken bool `json:"broken,omitempty"`
}

// User is the assigned user.
type User struct {
	ID    string `json:"id,omitempty"`
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"`
	Type  string `json:"type,omitempty"`
}

// Attribute is a custom device attribute.
type Attribute struct {
	Name  string `json:"name"`
	Value any    `json:"value"`
}

// Server is a simulated server of Mosyle. Its methods may be called at any time.
type Server struct {
	*vendortest.Server

	mu      sync.Mutex
	options Options
	devices []Device
	tokens  map[string]time.Time // until when each is valid
	skew    time.Duration
	issued  int
	recent  []time.Time // requests of the last second
}

// New prepares a server; Start starts it.
func New(options Options) (*Server, error) {
	options.Product = cmp.Or(options.Product, Business)
	if options.Product != Business && options.Product != Manager {
		return nil, errors.New("the product is neither business nor manager")
	}
	options.AccessToken = cmp.Or(options.AccessToken, "access-"+rand.Text())
	options.Email = cmp.Or(options.Email, "api-"+rand.Text()+"@example.com")
	options.Password = cmp.Or(options.Password, "password-"+rand.Text())
	options.PerSecond = cmp.Or(options.PerSecond, perSecond)
	if options.Now == nil {
		options.Now = time.Now
	}
	s := &Server{options: options, devices: slices.Clone(options.Devices), tokens: map[string]time.Time{}}
	var err error
	s.Server, err = vendortest.New(vendortest.API{
		Handler: http.HandlerFunc(s.serve), Endpoint: s.endpoint, AtOnce: atOnce, Address: options.Address, Names: options.Names,
	})
	if err != nil {
		return nil, fmt.Errorf("prepare server: %w", err)
	}
	return s, nil
}

// BaseURL is the URL with the version of the product's API.
func (s *Server) BaseURL() string { return s.URL() + s.prefix() }

func (s *Server) prefix() string {
	if s.options.Product == Manager {
		return "/v2"
	}
	return "/v1"
}

// Credentials returns what a client logs in with.
func (s *Server) Credentials() (accessToken, email, password string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.options.AccessToken, s.options.Email, s.options.Password
}

// Replace makes these devices, and no others, the inventory.
func (s *Server) Replace(devices ...Device) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.devices = slices.Clone(devices)
}

// Change alters each record with a serial number.
func (s *Server) Change(serial string, change func(*Device)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.devices {
		if s.devices[i].Serial == serial {
			change(&s.devices[i])
		}
	}
}

// Revoke makes every token that was issued until now invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for token := range s.tokens {
		s.tokens[token] = time.Time{}
	}
}

// Expire puts the clock forward until every token that was issued has expired.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.skew += tokenLife
}

// TokensIssued returns how many tokens were issued.
func (s *Server) TokensIssued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// Secrets returns everything that must not be seen outside of a client: the credentials, the tokens, and the marker of the
// server's own texts.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := []string{vendortest.Marker, s.options.AccessToken, s.options.Password}
	for token := range s.tokens {
		secrets = append(secrets, token)
	}
	return secrets
}
