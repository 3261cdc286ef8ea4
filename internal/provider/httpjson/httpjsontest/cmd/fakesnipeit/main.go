// Command fakesnipeit simulates a Snipe-IT server in a process of its own, for end-to-end tests; see standalone.Main. Its
// options are the JSON of httpjsontest.Options; httpjsontest.Server.Admin describes what changes it.
package main

import (
	"os"

	"step-posture-connector/internal/provider/httpjson/httpjsontest"
	"step-posture-connector/internal/provider/providertest/standalone"
)

func main() { os.Exit(standalone.Main("fakesnipeit", vendors())) }

func vendors() map[string]standalone.Open {
	return map[string]standalone.Open{"snipeit": func(decode func(into any) error, address string) (standalone.Simulation, error) {
		var options httpjsontest.Options
		if err := decode(&options); err != nil {
			return standalone.Simulation{}, err
		}
		options.Address = address
		server, err := httpjsontest.NewSnipeIT(options)
		if err != nil {
			return standalone.Simulation{}, err //nolint:wrapcheck // standalone says what it was for
		}
		return standalone.Simulation{Server: server, Admin: server.Admin()}, nil
	}}
}
