package providertest

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// Service is an Inventory that a vendor's server holds.
type Service struct {
	Inventory
	Server *vendortest.Server
	// Lookup names the endpoints that look a device up.
	Lookup []string
	// List names the endpoints of lists; empty where they are those of Lookup.
	List []string
	// Apart says which endpoints of Lookup are for each type of device.
	Apart map[posture.DeviceType][]string
	// Token names the endpoints that issue tokens. Expire and Revoke make the issued ones invalid, without a notice to
	// the provider.
	Token          []string
	Expire, Revoke func()
}

// HTTPHarness is how the test of a provider that asks a vendor's server lets the suite use it.
type HTTPHarness struct {
	// Open starts the vendor's server with the devices and opens a new provider on it, with a time
	// limit for each of its requests. Both end with t.
	Open func(t *testing.T, limit time.Duration, devices ...Device) Service
	// Shapes are answers of the lookup endpoints, to a lookup of a computer, that only look right.
	Shapes map[string]vendortest.Fault
	// Lacks are the traits that the vendor does not have: Tokens, EndpointsOfTypes.
	Lacks Trait
	// OverVendorhttp: the provider asks by package vendorhttp, whose own test runs every row. Rows that test only
	// vendorhttp are left out, except one of each class.
	OverVendorhttp bool
	// ListPage is how many devices the first page of a list has; 0 where a list is one page.
	ListPage int
	// Sibling: the rows that take long and do not depend on the version of the vendor's server run in the test of
	// another version.
	Sibling bool
	// MissingIs404: the vendor answers 404 for a device that it does not have.
	MissingIs404 bool
	// LocksOut: after a 429 the provider sends no request for longer than a lookup waits, because the vendor locks out.
	LocksOut bool
	// Remembers: refused credentials are not tried again for some seconds.
	Remembers bool
	// BareList: the vendor answers with a list in no object, so that [] says that it has no such device.
	BareList bool
}

func (h HTTPHarness) has(trait Trait) bool { return !h.Lacks.has(trait) }

// vendorPage is what a proxy or a server that is being updated says.
const vendorPage = "<!DOCTYPE html><html><body>" + vendortest.Marker + "</body></html>"

// vendorJSON is an error body of no vendor in particular.
const vendorJSON = `{"error":"` + vendortest.Marker + `","error_description":"` + vendortest.Marker + `","message":"` + vendortest.Marker + `"}`

// unsound is one wrong way to answer.
type unsound struct {
	name  string
	fault vendortest.Fault
	// pausing: the server asked for a pause, so the next lookup may fail.
	pausing bool
	// searches: the provider may look for another endpoint, which takes more requests.
	searches bool
	// shared: what a provider over vendorhttp does about it is all in vendorhttp.
	shared bool
}

// of returns the rows that apply.
func (h HTTPHarness) of(rows []unsound) []unsound {
	return slices.DeleteFunc(rows, func(u unsound) bool { return h.OverVendorhttp && u.shared || h.BareList && u.fault.Body == "[]" })
}

// patience is how long a lookup may take: not long where only the deadline ends it.
func (u unsound) patience() time.Duration {
	if u.pausing || u.fault.Kind == vendortest.Hang || u.fault.Kind == vendortest.Slow {
		return brief
	}
	return ample
}

// RunHTTP tests what a provider makes of a server's faults: never an answer about a device, never more time than the
// lookup has, never a word of the vendor or a secret in an error.
func RunHTTP(t *testing.T, h HTTPHarness) {
	t.Helper()
	for _, row := range []struct {
		name string
		test func(*testing.T, HTTPHarness)
	}{
		{"lookup", lookupFaults},
		{"token", tokenFaults},
		{"passing", passingFaults},
		{"tokens", invalidTokens},
		{"connection", connectionFaults},
		{"outage", outages},
		{"one type unknown", oneTypeUnknown},
		{"waiting", waiting},
		{"request ID", requestIDs},
		{"list", listFaults},
		{"a request that hangs is given up", hangingIsGivenUp},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			row.test(t, h)
		})
	}
}

func (h HTTPHarness) open(t *testing.T, devices ...Device) Service {
	t.Helper()
	return h.openWithLimit(t, longLimit, devices...)
}

func (h HTTPHarness) openWithLimit(t *testing.T, limit time.Duration, devices ...Device) Service {
	t.Helper()
	service := h.Open(t, limit, devices...)
	if h.has(Tokens) == (len(service.Token) == 0 || service.Expire == nil || service.Revoke == nil) {
		t.Fatal("either the Service says how tokens are issued and become invalid, or the harness Lacks Tokens")
	}
	if h.has(EndpointsOfTypes) == (service.Apart == nil) {
		t.Fatal("either the Service says which endpoints are for which type of device, or the harness Lacks EndpointsOfTypes")
	}
	if _, embedded := service.Provider.(interface{ Explain(err error) error }); h.OverVendorhttp && !embedded {
		t.Fatal("OverVendorhttp is for providers that embed a *vendorhttp.Client")
	}
	service.watch(t)
	return service
}

// longLimit is a provider's limit for a request. It is much longer than the deadlines of the lookups: a
// provider that obeys the limit and ignores the deadline fails.
const longLimit = 10 * time.Second

// statuses are answers whose status says that they are no answer.
func statuses() []unsound {
	var all []unsound
	for _, status := range []int{
		http.StatusNoContent, http.StatusNotModified, http.StatusBadRequest, http.StatusUnauthorized, http.StatusPaymentRequired,
		http.StatusForbidden, http.StatusNotFound, http.StatusNotAcceptable, http.StatusRequestTimeout, http.StatusGone,
		http.StatusUnprocessableEntity, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusNotImplemented,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
	} {
		fault := vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: vendorJSON}
		if status == http.StatusNoContent || status == http.StatusNotModified {
			fault.Body = ""
		}
		name := http.StatusText(status)
		all = append(all, unsound{name: name, fault: fault, searches: status == http.StatusNotFound})
		if status >= http.StatusInternalServerError || status == http.StatusForbidden {
			fault.Body, fault.Headers = vendorPage, map[string]string{"Content-Type": "text/html"}
			all = append(all, unsound{name: name + " in HTML", fault: fault, shared: true})
		}
	}
	for _, wait := range []string{"0", "1", "86400", "-5", "soon", "99999999999999999999", "Fri, 31 Dec 2100 23:59:59 GMT"} {
		for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
			fault := vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: vendorJSON, Headers: map[string]string{"Retry-After": wait}}
			all = append(all, unsound{name: http.StatusText(status) + ", Retry-After " + wait, fault: fault, pausing: wait != "0", shared: wait != "86400"})
		}
	}
	return all
}

// bodies are answers with status 200 that hold nothing of use, wherever they come from.
func bodies() []unsound {
	var all []unsound
	for name, body := range map[string]string{
		"an empty body": "", "white space": " \n", "a list": "[]", "an object": "{}", "null": "null", "a string": `"` + vendortest.Marker + `"`,
		"a number": "1", "half an object": `{"a":`, "not JSON": vendortest.Marker, "null results": `{"totalCount":1,"results":null}`,
		"a list of null": "[null]", "an error": vendorJSON, "binary": "\x00\xff\xfe",
		"deep": strings.Repeat("[", 100_000), "another type": `{"totalCount":"many","results":{},"access_token":{},"computer":7}`,
	} {
		all = append(all, unsound{name: "200 with " + name, fault: vendortest.Fault{Kind: vendortest.Answer, Body: body}})
	}
	page := vendortest.Fault{Kind: vendortest.Answer, Body: vendorPage, Headers: map[string]string{"Content-Type": "text/html"}}
	return append(all, unsound{name: "200 with HTML", fault: page})
}

// transports are faults below HTTP, and wrong uses of HTTP.
func transports() []unsound {
	return []unsound{
		{name: "reset", fault: vendortest.Fault{Kind: vendortest.Reset}, shared: true},
		{name: "truncated", fault: vendortest.Fault{Kind: vendortest.Truncate}},
		{name: "endless", fault: vendortest.Fault{Kind: vendortest.Endless}, shared: true},
		{name: "hang", fault: vendortest.Fault{Kind: vendortest.Hang}},
		{name: "slow", fault: vendortest.Fault{Kind: vendortest.Slow, Delay: time.Hour}, shared: true},
		{name: "redirect", fault: vendortest.Fault{Kind: vendortest.Redirect}},
		{name: "permanent redirect", fault: vendortest.Fault{Kind: vendortest.Redirect, Status: http.StatusPermanentRedirect}, shared: true},
		{name: "temporary redirect", fault: vendortest.Fault{Kind: vendortest.Redirect, Status: http.StatusTemporaryRedirect}, shared: true},
	}
}

func lookupFaults(t *testing.T, h HTTPHarness) {
	all := append(append(statuses(), bodies()...), transports()...)
	for name, fault := range h.Shapes {
		all = append(all, unsound{name: name, fault: fault})
	}
	for _, row := range h.of(all) {
		if h.MissingIs404 && row.searches {
			continue
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			service := h.open(t, mac(serial), mac(secondSerial))
			service.finds(t, serial, posture.Computer)
			if h.LocksOut && row.fault.Status == http.StatusTooManyRequests {
				service.isLockedOut(t, row)
				return
			}
			service.suffers(t, row, service.Lookup)
		})
	}
}

func tokenFaults(t *testing.T, h HTTPHarness) {
	if !h.has(Tokens) {
		return
	}
	all := append(append(statuses(), bodies()...), transports()...)
	for i := range all {
		switch all[i].name { // of each class one, and those that make a provider ask another endpoint
		case http.StatusText(http.StatusUnauthorized), http.StatusText(http.StatusNotFound), http.StatusText(http.StatusInternalServerError), "200 with HTML", "hang", "redirect":
		default:
			all[i].shared = true
		}
	}
	for _, row := range h.of(all) {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			service := h.open(t, mac(serial))
			row.pausing = row.pausing || h.Remembers && row.name == http.StatusText(http.StatusUnauthorized)
			service.suffers(t, row, service.Token)
		})
	}
}

// passingFaults: one fault is survived by asking again, where there is time.
func passingFaults(t *testing.T, h HTTPHarness) {
	kinds := []vendortest.Fault{{Kind: vendortest.Reset}}
	if h.has(Tokens) {
		kinds = append(kinds, vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusUnauthorized})
	}
	statuses := []int{http.StatusServiceUnavailable}
	if !h.OverVendorhttp {
		statuses = append(statuses, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout)
	}
	for _, status := range statuses {
		kinds = append(kinds, vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: vendorPage})
	}
	for _, fault := range kinds {
		fault.Times = 1
		name := string(fault.Kind) + " " + http.StatusText(fault.Status)
		t.Run("lookup "+name, func(t *testing.T) {
			t.Parallel()
			service := h.open(t, mac(serial))
			service.finds(t, serial, posture.Computer)
			before := service.Server.Count(service.Lookup...)
			service.Server.Fail(fault, service.Lookup...)
			service.finds(t, serial, posture.Computer)
			// A connection that was reset may be tried again below HTTP.
			if asked := service.Server.Count(service.Lookup...) - before; asked != 2 && fault.Kind != vendortest.Reset {
				t.Errorf("the endpoint was asked %d times, want 2", asked)
			}
		})
		if fault.Status == http.StatusUnauthorized || !h.has(Tokens) {
			continue // a 401 for a token says that the credentials are wrong, which does not pass
		}
		t.Run("token "+name, func(t *testing.T) {
			t.Parallel()
			service := h.open(t, mac(serial))
			service.Server.Fail(fault, service.Token...)
			service.finds(t, serial, posture.Computer)
		})
	}
}
