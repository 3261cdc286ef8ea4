package apple_test

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/apple/appletest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestTokenIsCached: Apple's token endpoint throttles, so any number of lookups take one token.
func TestTokenIsCached(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial), phone(phoneSerial)}})
	provider := opened(t, configOf(server))
	var together sync.WaitGroup
	for i := range 10 {
		together.Go(func() {
			serial := macSerial
			if i%2 == 0 {
				serial = phoneSerial
			}
			if _, err := lookup(t, provider, serial, attributes()); err != nil {
				t.Errorf("Lookup = %v", err)
			}
		})
	}
	together.Wait()
	list(t, provider, posture.AllFacts())
	if n := server.Count(appletest.Token); n != 1 {
		t.Errorf("the token endpoint was asked %d times, want once", n)
	}
	// A token that Apple does not accept any more is replaced, with a new assertion: the server refuses one that was used.
	server.Revoke()
	finds(t, provider, macSerial, posture.AllFacts())
	if n := server.Count(appletest.Token); n != 2 {
		t.Errorf("the token endpoint was asked %d times, want twice", n)
	}
}

// TestRefusalIsRemembered: credentials that were refused are not tried with every lookup.
func TestRefusalIsRemembered(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
	client := server.Client()
	client.Inactive = true
	if err := server.SetClients(client); err != nil {
		t.Fatal(err)
	}
	provider := opened(t, configOf(server))
	for range 5 {
		if _, err := lookup(t, provider, macSerial, attributes()); !errors.Is(err, posture.ErrCredentials) || err.Error() != refused {
			t.Fatalf("Lookup = %v, want %s", err, refused)
		}
	}
	if n := server.Count(appletest.Token); n != 1 {
		t.Errorf("the token endpoint was asked %d times, want once", n)
	}
}

// TestTokenOfAnotherHost: the audience of the assertion is Apple's, wherever it is sent, and that host is asked for nothing else.
func TestTokenOfAnotherHost(t *testing.T) {
	t.Parallel()
	api := tolerant(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
	tokens := started(t, appletest.Options{Clients: []appletest.Client{api.Client()}})
	c := configOf(api)
	c.TokenURL, c.RootCAs = tokens.TokenURL(), x509.NewCertPool()
	c.RootCAs.AppendCertsFromPEM(api.CACertPEM())
	c.RootCAs.AppendCertsFromPEM(tokens.CACertPEM())
	// The API does not know the tokens of another server: one is refused, and then the next.
	const want = "orgDevices answered 401: a new token was refused; check that the API account still exists"
	if _, _, err := opened(t, c).Check(t.Context()); err == nil || err.Error() != want {
		t.Errorf("Check = %v, want %s", err, want)
	}
	if tokens.TokensIssued() != 2 || tokens.Count() != 2 || api.Count(appletest.Token) != 0 || api.Count(appletest.OrgDevices) != 2 {
		t.Errorf("%d tokens were issued after the requests %v, and the API got %v", tokens.TokensIssued(), tokens.Counts(), api.Counts())
	}
}

// TestTokenIsThrottled: after a 429 of the token endpoint nothing is asked for a while.
func TestTokenIsThrottled(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: []appletest.Device{mac(macSerial)}})
	server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: http.StatusTooManyRequests, Body: "{}"}, appletest.Token)
	provider := opened(t, configOf(server))
	for range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second) // less than the pause
		_, err := provider.Lookup(ctx, query(t, macSerial, posture.WithoutPolicy()))
		cancel()
		if err == nil || errors.Is(err, posture.ErrNotFound) {
			t.Errorf("Lookup = %v, want a fault", err)
		}
	}
	if n := server.Count(appletest.Token); n != 1 {
		t.Errorf("the token endpoint was asked %d times, want once", n)
	}
}

// TestAtOnce: a fifth request waits until one of four has ended, however long that takes.
func TestAtOnce(t *testing.T) {
	t.Parallel()
	server := started(t, appletest.Options{Devices: many(5)})
	provider := opened(t, configOf(server))
	finds(t, provider, "C02ZZ00000", posture.WithoutPolicy()) // brings a token
	gate := make(chan struct{})
	server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate}, appletest.OrgDevice)
	var together sync.WaitGroup
	for _, d := range many(4) {
		together.Go(func() {
			if _, err := lookup(t, provider, d.Serial, posture.WithoutPolicy()); err != nil {
				t.Errorf("Lookup = %v", err)
			}
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	if err := server.Await(ctx, func() bool { return server.InFlight(appletest.OrgDevice) == 4 }); err != nil {
		t.Error(err)
	}
	limited, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
	defer cancel()
	if _, err := provider.Lookup(limited, query(t, "C02ZZ00004", posture.WithoutPolicy())); err == nil || errors.Is(err, posture.ErrNotFound) {
		t.Errorf("the fifth Lookup = %v, want a fault", err)
	}
	if n := server.InFlight(appletest.OrgDevice); n != 4 {
		t.Errorf("%d requests are under way, want 4", n)
	}
	close(gate)
	together.Wait()
	if most := server.MostAtOnce(); most != 4 {
		t.Errorf("%d requests at once, want 4", most)
	}
}
