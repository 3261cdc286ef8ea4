// Command fakevendor simulates the server of one of the vendors in a process of its own, for end-to-end tests; see
// standalone.Main. Its options are the JSON of the Options of the vendor's package of tests, such as intunetest. Beside what
// every simulated server has (see vendortest.Server.Admin), its admin handler has
//
//	PUT  /devices   the inventory, a JSON list of the vendor's Device
//	POST /revoke    make the tokens or keys that were issued invalid
//	POST /expire    put the clock forward until tokens have expired, where the vendor has such
package main

import (
	"net/http"
	"os"

	"step-posture-connector/internal/provider/addigy/addigytest"
	"step-posture-connector/internal/provider/apple/appletest"
	"step-posture-connector/internal/provider/fleet/fleettest"
	"step-posture-connector/internal/provider/intune/intunetest"
	"step-posture-connector/internal/provider/iru/irutest"
	"step-posture-connector/internal/provider/mosyle/mosyletest"
	"step-posture-connector/internal/provider/providertest/standalone"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

func main() { os.Exit(standalone.Main("fakevendor", vendors())) }

func vendors() map[string]standalone.Open {
	return map[string]standalone.Open{
		"addigy": vendor(addigytest.New, func(o *addigytest.Options, address string) { o.Address = address }),
		"apple":  vendor(appletest.New, func(o *appletest.Options, address string) { o.Address = address }),
		"fleet":  vendor(fleettest.New, func(o *fleettest.Options, address string) { o.Address = address }),
		"intune": vendor(intunetest.New, func(o *intunetest.Options, address string) { o.Address = address }),
		"iru":    vendor(irutest.New, func(o *irutest.Options, address string) { o.Address = address }),
		"mosyle": vendor(mosyletest.New, func(o *mosyletest.Options, address string) { o.Address = address }),
	}
}

// simulated is a vendor's server with records of the type D.
type simulated[D any] interface {
	standalone.Server
	Admin(more map[string]http.Handler) http.Handler
	Replace(devices ...D)
	Revoke()
}

// vendor opens servers of a vendor.
func vendor[O, D any, S simulated[D]](open func(O) (S, error), listen func(o *O, address string)) standalone.Open {
	return func(decode func(into any) error, address string) (standalone.Simulation, error) {
		var options O
		if err := decode(&options); err != nil {
			return standalone.Simulation{}, err
		}
		listen(&options, address)
		server, err := open(options)
		if err != nil {
			return standalone.Simulation{}, err //nolint:wrapcheck // standalone says what it was for
		}
		routes := map[string]http.Handler{
			"PUT /devices": vendortest.Receive(func(devices []D) { server.Replace(devices...) }),
			"POST /revoke": vendortest.Do(server.Revoke),
		}
		if expiring, ok := any(server).(interface{ Expire() }); ok {
			routes["POST /expire"] = vendortest.Do(expiring.Expire)
		}
		simulation := standalone.Simulation{Server: server, Admin: server.Admin(routes)}
		if based, ok := any(server).(interface{ BaseURL() string }); ok {
			simulation.BaseURL = based.BaseURL
		}
		return simulation, nil
	}
}
