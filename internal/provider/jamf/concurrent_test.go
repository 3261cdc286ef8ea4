package jamf_test

import (
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/jamf"
	"step-posture-connector/internal/provider/jamf/jamftest"
)

// lookups looks up n computers at once, each once.
func lookups(t *testing.T, provider posture.Provider, n int) {
	t.Helper()
	var together sync.WaitGroup
	for i := range n {
		together.Go(func() {
			if device, err := lookup(t, provider, numbered(i), posture.Computer); err != nil || device.Identifier != numbered(i) {
				t.Errorf("Lookup(%q) = %+v, %v, want the device", numbered(i), device, err)
			}
		})
	}
	together.Wait()
}

func numbered(i int) string { return fmt.Sprintf("C02XK%05d", i) }

func computers(n int) []jamftest.Device {
	var all []jamftest.Device
	for i := range n {
		all = append(all, mac(numbered(i), "Compliant"))
	}
	return all
}

// TestOneTokenForAll: however many lookups wait for a token, one is asked for; so too when the server
// refuses the one that all of them have.
func TestOneTokenForAll(t *testing.T) {
	t.Parallel()
	const many = 200
	for _, api := range []string{"pro", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: computers(many)})
			provider := opened(t, configOf(server, api))
			lookups(t, provider, many)
			if got := server.Count(jamftest.Token, jamftest.OldToken); got != 1 {
				t.Errorf("%d lookups from a cold start made %d token requests, want 1", many, got)
			}
			if got := server.Count(jamftest.Version); got > 1 {
				t.Errorf("%d lookups from a cold start asked %d times for the version, want once", many, got)
			}
			for i, invalidate := range []func(){server.Expire, server.Revoke} {
				invalidate()
				lookups(t, provider, many)
				if got, want := server.TokensIssued(), 2+i; got != want {
					t.Errorf("%d tokens were issued after %d became invalid, want %d", got, 1+i, want)
				}
			}
			// Each lookup is one request, and those that carried an old token are repeated.
			if got, least, most := server.Count(lookupEndpoints()...), 3*many, 5*many; got < least || got > most {
				t.Errorf("%d lookups made %d requests, want %d to %d", 3*many, got, least, most)
			}
		})
	}
}

// TestOneRequestForOneDevice is not parallel: it looks at all goroutines of the process to find out whether
// every lookup has begun to wait.
func TestOneRequestForOneDevice(t *testing.T) {
	const many = 1000
	server := started(t, jamftest.Options{Devices: computers(1)})
	provider := opened(t, configOf(server, "pro"))
	gate := make(chan struct{})
	held(server, gate, lookupEndpoints()...)
	var together sync.WaitGroup
	for range many {
		together.Go(func() {
			if device, err := lookup(t, provider, numbered(0), posture.Computer); err != nil || device.Identifier != numbered(0) {
				t.Errorf("Lookup = %+v, %v, want the device", device, err)
			}
		})
	}
	await(t, server, func() bool { return server.InFlight(lookupEndpoints()...) > 0 })
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for waitingLookups() < many {
		<-ticker.C
	}
	close(gate)
	together.Wait()
	if got := server.Count(lookupEndpoints()...); got != 1 {
		t.Errorf("%d lookups of one device at once made %d requests, want 1", many, got)
	}
	// Nothing is remembered: the next lookup asks again.
	finds(t, provider, numbered(0), posture.Computer)
	if got := server.Count(lookupEndpoints()...); got != 2 {
		t.Errorf("a lookup after that made %d requests, want 1", got-1)
	}
}

// waitingLookups counts the goroutines that are in a Lookup and wait there for something.
func waitingLookups() int {
	stacks := make([]byte, 1<<20)
	for {
		n := runtime.Stack(stacks, true)
		if n < len(stacks) {
			stacks = stacks[:n]
			break
		}
		stacks = make([]byte, 2*len(stacks))
	}
	waiting := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		header, frames, _ := strings.Cut(stack, "\n")
		if strings.Contains(frames, "jamf.(*Provider).Lookup(") && !strings.Contains(header, "[run") {
			waiting++
		}
	}
	return waiting
}

// TestFiveAtOnce: Jamf wants no more than five requests of any kind at once. The server reports a sixth one as a
// violation; here are enough lookups for one.
func TestFiveAtOnce(t *testing.T) {
	t.Parallel()
	const many = 40
	for _, api := range []string{"pro", "classic"} {
		t.Run(api, func(t *testing.T) {
			t.Parallel()
			server := started(t, jamftest.Options{Devices: computers(many)})
			c := configOf(server, api)
			c.ComputerEnrich = true // with requests for departments
			provider := opened(t, c)
			gate := make(chan struct{})
			held(server, gate, append(lookupEndpoints(), jamftest.Department)...)
			var together sync.WaitGroup
			for i := range many {
				together.Go(func() {
					if _, err := lookup(t, provider, numbered(i), posture.AnyDevice); err != nil {
						t.Errorf("Lookup(%q) = %v, want the device", numbered(i), err)
					}
				})
			}
			await(t, server, func() bool { return server.InFlight(lookupEndpoints()...) >= 5 })
			close(gate)
			together.Wait()
			if got := server.MostAtOnce(); got != 5 {
				t.Errorf("%d lookups had %d requests at once, want 5", many, got)
			}
		})
	}
}

// TestTwoProviders: nothing is shared by way of package variables.
func TestTwoProviders(t *testing.T) {
	t.Parallel()
	one := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial, "one")}})
	two := started(t, jamftest.Options{Devices: []jamftest.Device{mac(macSerial, "two")}})
	for server, group := range map[*jamftest.Server]string{one: "one", two: "two"} {
		var provider posture.Provider = opened(t, configOf(server, "pro"))
		if groups, _ := finds(t, provider, macSerial, posture.Computer).Facts.Groups.Get(); len(groups) != 1 || groups[0] != group {
			t.Errorf("Lookup has groups %q, want %q", groups, group)
		}
	}
	var _ posture.Checker = (*jamf.Provider)(nil)
}
