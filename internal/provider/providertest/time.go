package providertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// invalidTokens: a token that the vendor does not accept any more is renewed, once.
func invalidTokens(t *testing.T, h HTTPHarness) {
	if !h.has(Tokens) {
		return
	}
	for name, invalidate := range map[string]func(Service) func(){
		"expired": func(s Service) func() { return s.Expire },
		"revoked": func(s Service) func() { return s.Revoke },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := h.open(t, mac(serial))
			service.finds(t, serial, posture.Computer)
			tokens, lookups := service.Server.Count(service.Token...), service.Server.Count(service.Lookup...)
			service.finds(t, serial, posture.Computer)
			if asked := service.Server.Count(service.Token...) - tokens; asked != 0 {
				t.Errorf("a second lookup made %d token requests, want none", asked)
			}
			invalidate(service)()
			service.finds(t, serial, posture.Computer)
			if asked := service.Server.Count(service.Token...) - tokens; asked != 1 {
				t.Errorf("when the token was %s, %d were asked for, want 1", name, asked)
			}
			if asked := service.Server.Count(service.Lookup...) - lookups; asked > 3 {
				t.Errorf("two lookups made %d requests, want 3: one, one that was refused and its repetition", asked)
			}
		})
	}
}

func connectionFaults(t *testing.T, h HTTPHarness) {
	t.Run("unreachable and back", func(t *testing.T) {
		t.Parallel()
		service := h.open(t, mac(serial))
		service.Server.Down()
		device, err := service.lookup(t, query(t, serial, posture.Computer), brief)
		checkFault(t, device, err)
		service.Server.Up()
		service.finds(t, serial, posture.Computer)
		service.Server.Down()
		device, err = service.lookup(t, query(t, serial, posture.Computer), brief)
		checkFault(t, device, err)
		service.Server.Up()
		service.finds(t, serial, posture.Computer)
	})
	t.Run("refused", func(t *testing.T) {
		t.Parallel()
		service := h.open(t, mac(serial))
		service.Server.Close()
		device, err := service.lookup(t, query(t, serial, posture.Computer), brief)
		checkFault(t, device, err)
	})
	t.Run("gone after the first lookup", func(t *testing.T) {
		t.Parallel()
		service := h.open(t, mac(serial))
		service.finds(t, serial, posture.Computer)
		service.Server.Close()
		device, err := service.lookup(t, query(t, serial, posture.Computer), brief)
		checkFault(t, device, err)
	})
	t.Run("everything hangs", func(t *testing.T) {
		t.Parallel()
		service := h.open(t, mac(serial))
		service.suffers(t, unsound{fault: vendortest.Fault{Kind: vendortest.Hang}}, nil)
	})
}

// oneTypeUnknown: where any type of device will do, what is known of one type is half of the truth.
func oneTypeUnknown(t *testing.T, h HTTPHarness) {
	if !h.has(EndpointsOfTypes) {
		return
	}
	for _, failing := range []posture.DeviceType{posture.Computer, posture.MobileDevice} {
		for _, status := range []int{http.StatusInternalServerError, http.StatusForbidden, http.StatusBadRequest} {
			t.Run(fmt.Sprintf("%s, %d", failing, status), func(t *testing.T) {
				t.Parallel()
				service := h.open(t, mac(serial), phone(secondSerial))
				service.finds(t, serial, posture.AnyDevice)
				service.Server.Fail(vendortest.Fault{Kind: vendortest.Answer, Status: status, Body: vendorJSON}, service.Apart[failing]...)
				for _, identifier := range []string{serial, secondSerial, unknownSerial} {
					device, err := service.lookup(t, query(t, identifier, posture.AnyDevice), ample)
					checkFault(t, device, err)
				}
			})
		}
	}
}

// waiting: a lookup that joins others, and leaves, does not harm them.
func waiting(t *testing.T, h HTTPHarness) {
	leaving := errors.New("the client has left")
	departures := map[string]func(context.Context) (context.Context, func()){
		"a waiter is canceled": func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			return ctx, func() { cancel(leaving) }
		},
		"a waiter's deadline passes": func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(ctx, 2*brief)
			return ctx, func() {
				<-ctx.Done()
				cancel()
			}
		},
	}
	if h.OverVendorhttp {
		delete(departures, "a waiter's deadline passes")
	}
	for name, leave := range departures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := h.open(t, mac(serial))
			service.finds(t, serial, posture.Computer)
			gate := make(chan struct{})
			service.Server.Fail(vendortest.Fault{Kind: vendortest.Hold, Until: gate}, service.Lookup...)
			ctx, depart := leave(t.Context())
			first, second := make(chan answer, 1), make(chan answer, 1)
			q := query(t, serial, posture.Computer)
			arrival, returned := context.WithTimeout(t.Context(), ample)
			defer returned()
			go func() {
				device, err := service.lookupWith(ctx, t, q, ample)
				returned()
				first <- answer{device, err}
			}()
			if err := service.Server.Await(arrival, func() bool { return service.Server.InFlight(service.Lookup...) == 1 }); err != nil {
				t.Fatalf("the request did not arrive: %v", err)
			}
			go func() {
				device, err := service.lookup(t, q, ample)
				second <- answer{device, err}
			}()
			depart()
			begin := time.Now()
			a := <-first
			checkFault(t, a.device, a.err)
			if took := time.Since(begin); took > grace {
				t.Errorf("the waiter left %v after it wanted to", took)
			}
			close(gate)
			if a := <-second; a.err != nil || a.device.Identifier != serial {
				t.Errorf("the other waiter got the record of %q, %v, want the device", a.device.Identifier, a.err)
			}
		})
	}
}

// hangingIsGivenUp: a request that is not answered ends by the provider's own limit, however many wait
// for it and however patient they are, and is repeated.
func hangingIsGivenUp(t *testing.T, h HTTPHarness) {
	if h.Sibling {
		return
	}
	places := map[string]func(Service) []string{"lookup": func(s Service) []string { return s.Lookup }}
	if h.has(Tokens) && !h.OverVendorhttp {
		places["token"] = func(s Service) []string { return s.Token }
	}
	for name, place := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := h.openWithLimit(t, 4*brief, mac(serial))
			endpoints := place(service)
			service.Server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 1}, endpoints...)
			q := query(t, serial, posture.Computer)
			impatient, patient := make(chan answer, 1), make(chan answer, 1)
			arrival, returned := context.WithTimeout(t.Context(), ample)
			defer returned()
			go func() {
				device, err := service.lookup(t, q, 2*brief)
				returned()
				impatient <- answer{device, err}
			}()
			if err := service.Server.Await(arrival, func() bool { return service.Server.Hanging() == 1 }); err != nil {
				t.Fatalf("the request did not arrive: %v", err)
			}
			begin := time.Now()
			go func() {
				device, err := service.lookup(t, q, ample)
				patient <- answer{device, err}
			}()
			a := <-impatient
			checkFault(t, a.device, a.err)
			a = <-patient
			if took := time.Since(begin); a.err != nil || took > 2*grace {
				t.Errorf("after %v the lookup returned the record of %q, %v, want the device in a few seconds", took, a.device.Identifier, a.err)
			}
		})
	}
}
