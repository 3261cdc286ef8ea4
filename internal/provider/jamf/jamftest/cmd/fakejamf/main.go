// Command fakejamf simulates a Jamf Pro server in a process of its own, for end-to-end tests and the demo; see
// standalone.Main. Its options are the JSON of jamftest.Options: API clients and devices above all. The first line that it
// prints has the server with its context path; jamftest.Server.Admin describes what changes it.
package main

import (
	"os"

	"step-posture-connector/internal/provider/jamf/jamftest"
	"step-posture-connector/internal/provider/providertest/standalone"
)

func main() { os.Exit(standalone.Main("fakejamf", vendors())) }

func vendors() map[string]standalone.Open {
	return map[string]standalone.Open{"jamf": func(decode func(into any) error, address string) (standalone.Simulation, error) {
		var options jamftest.Options
		if err := decode(&options); err != nil {
			return standalone.Simulation{}, err
		}
		options.Address = address
		server, err := jamftest.New(options)
		if err != nil {
			return standalone.Simulation{}, err //nolint:wrapcheck // standalone says what it was for
		}
		return standalone.Simulation{Server: server, BaseURL: server.BaseURL, Admin: server.Admin()}, nil
	}}
}
