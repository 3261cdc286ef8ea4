package jamf_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// TestTimeoutIsOfTheRequest: the wait for one of the five places is not part of TIMEOUT.
func TestTimeoutIsOfTheRequest(t *testing.T) {
	t.Parallel()
	const many, answer = 40, 400 * time.Millisecond
	server := started(t, jamftest.Options{Devices: computers(many)})
	c := configOf(server, "pro")
	c.Timeout = 2
	provider := opened(t, c)
	finds(t, provider, numbered(0), posture.Computer)
	server.Fail(vendortest.Fault{Kind: vendortest.Slow, Delay: answer}, lookupEndpoints()...)
	before := server.Count(lookupEndpoints()...)
	lookups(t, provider, many) // 40 lookups, five at once: the last one waits for more than TIMEOUT
	if got := server.Count(lookupEndpoints()...) - before; got != many {
		t.Errorf("%d lookups made %d requests, want one for each", many, got)
	}
}

// TestDepartmentCostsNoDecision: a device that was found stays found when the name of its department does
// not come in the time that is left.
func TestDepartmentCostsNoDecision(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(1)})
	c := configOf(server, "pro")
	c.ComputerEnrich = true
	provider := opened(t, c)
	finds(t, provider, numbered(0), posture.Computer)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, jamftest.Department)
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond) // less than a department may take
	defer cancel()
	device, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer))
	if err != nil || !strings.Contains(string(device.Data), `"department":""`) {
		t.Errorf("Lookup = %s, %v, want the device without its department", device.Data, err)
	}
}

// TestDepartmentOfOthers: a caller that leaves takes nothing from the next one.
func TestDepartmentOfOthers(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(2)})
	c := configOf(server, "pro")
	c.ComputerEnrich = true
	provider := opened(t, c)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 1}, jamftest.Department)
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer))
		left <- err
	}()
	await(t, server, func() bool { return server.Hanging() == 1 })
	leave()
	if err := <-left; err == nil {
		t.Error("a lookup whose caller has left was answered")
	}
	await(t, server, func() bool { return server.Hanging() == 0 })
	if device := finds(t, provider, numbered(1), posture.Computer); !strings.Contains(string(device.Data), `"department":"Platform"`) {
		t.Errorf("the next device has %s, want its department", device.Data)
	}
}

// TestDepartmentIsNotRemembered: the name goes into a certificate, and Jamf may have another one by now.
func TestDepartmentIsNotRemembered(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(1)})
	c := configOf(server, "pro")
	c.ComputerEnrich = true
	provider := opened(t, c)
	for range 2 {
		finds(t, provider, numbered(0), posture.Computer)
	}
	if got := server.Count(jamftest.Department); got != 2 {
		t.Errorf("two lookups asked %d times for the department, want 2", got)
	}
	// Where the privilege is missing, asking each time would be in vain.
	client := server.Client()
	client.Privileges = []string{jamftest.ReadComputers}
	server.SetClients(client)
	server.Revoke()
	for range 3 {
		finds(t, provider, numbered(0), posture.Computer)
	}
	if got := server.Count(jamftest.Department); got != 3 {
		t.Errorf("without the privilege it was asked for %d times, want 1", got-2)
	}
	client.Privileges = append(client.Privileges, jamftest.ReadDepartments)
	server.SetClients(client)
	provider.AgeToken(time.Minute)
	if device := finds(t, provider, numbered(0), posture.Computer); !strings.Contains(string(device.Data), `"department":"Platform"`) {
		t.Errorf("when the privilege was added, the device has %s, want its department", device.Data)
	}
}

// TestVersionCostsNoDecision: the server's version is a hint, without which the newest endpoint is asked.
func TestVersionCostsNoDecision(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Version: "11.10.0-t1", Devices: computers(1)})
	provider := opened(t, configOf(server, "pro"))
	server.Fail(vendortest.Fault{Kind: vendortest.Hang}, jamftest.Version)
	ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond) // what a lookup for step-ca has
	defer cancel()
	if device, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer)); err != nil || device.Identifier != numbered(0) {
		t.Errorf("Lookup = %+v, %v, want the device", device, err)
	}
}

// TestDeadlineHasWords: an error at the end of a lookup's time says who did not answer.
func TestDeadlineHasWords(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(1)})
	provider := opened(t, configOf(server, "pro"))
	server.Fail(vendortest.Fault{Kind: vendortest.Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer))
	if want := strings.TrimPrefix(server.URL(), "https://") + " did not answer in time"; !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) {
		t.Errorf("Lookup = %v, want it to say %q", err, want)
	}
}

// TestJoiningTakesNothing: a lookup that would be answered at the second try of a request is so, too, when others
// join it.
func TestJoiningTakesNothing(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(2)})
	provider := opened(t, configOf(server, "pro"))
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 1}, jamftest.Token)
	var both sync.WaitGroup
	defer both.Wait()
	for i := range 2 {
		q := query(t, numbered(i), posture.Computer)
		both.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond) // what a lookup for step-ca has
			defer cancel()
			if _, err := provider.Lookup(ctx, q); err != nil {
				t.Errorf("lookup %d = %v, want the device", i, err)
			}
		})
		time.Sleep(3 * time.Second)
	}
}

// TestSlowIsWaitedFor: a server that needs most of the time of a lookup is not asked a second time, which it would
// not answer in time either. Its connection is known to work: PINGs are answered.
func TestSlowIsWaitedFor(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(1)})
	provider := opened(t, configOf(server, "pro"))
	server.Fail(vendortest.Fault{Kind: vendortest.Slow, Delay: 6500 * time.Millisecond}, jamftest.Computers+"4")
	ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond) // what a lookup for step-ca has
	defer cancel()
	if _, err := provider.Lookup(ctx, query(t, numbered(0), posture.Computer)); err != nil {
		t.Errorf("Lookup = %v, want the device", err)
	}
}

// TestJoinedRequestEnds: a request for a token that hangs is not kept alive by lookups that join it, one after the
// other: no lookup waits for it as long as a large TIMEOUT allows.
func TestJoinedRequestEnds(t *testing.T) {
	t.Parallel()
	server := started(t, jamftest.Options{Devices: computers(40)})
	c := configOf(server, "pro")
	c.Timeout = 300
	provider := opened(t, c)
	server.Fail(vendortest.Fault{Kind: vendortest.Hang, Times: 2}, jamftest.Token) // both tries
	begin := time.Now()
	var answered atomic.Bool
	var all sync.WaitGroup
	defer all.Wait()
	for i := 0; !answered.Load(); i++ {
		if time.Since(begin) > 40*time.Second {
			t.Fatal("no lookup was answered within 40s, although the server hung only twice")
		}
		q := query(t, numbered(i), posture.Computer)
		all.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 8500*time.Millisecond) // what a lookup for step-ca has
			defer cancel()
			if _, err := provider.Lookup(ctx, q); err == nil {
				answered.Store(true)
			}
		})
		time.Sleep(time.Second)
	}
	t.Logf("a lookup was answered %s after the server began to hang", time.Since(begin).Round(time.Second))
}
