package jamftest

import (
	"net/http"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// Report is what the server has seen.
type Report struct {
	vendortest.Report

	TokensIssued int `json:"tokens_issued"`
}

// Admin is that of every simulated server, see vendortest.Server.Admin, with
//
//	PUT  /devices    the inventory, a JSON list of Device
//	PUT  /clients    the API clients, a JSON list of Client
//	POST /revoke     make the tokens that were issued invalid
//	POST /expire     put the clock forward until they have expired
//	PUT  /lists      how lists are spoiled, the JSON of Lists
//	PUT  /delay      how long each answer takes, a number of nanoseconds
//	GET  /report     the JSON of Report
func (s *Server) Admin() http.Handler {
	return s.Server.Admin(map[string]http.Handler{
		"PUT /devices": vendortest.Receive(func(devices []Device) { s.Replace(devices...) }),
		"PUT /clients": vendortest.Receive(func(clients []Client) { s.SetClients(clients...) }),
		"PUT /lists":   vendortest.Receive(s.SpoilLists),
		"PUT /delay":   vendortest.Receive(s.SetDelay),
		"POST /revoke": vendortest.Do(s.Revoke),
		"POST /expire": vendortest.Do(s.Expire),
		"GET /report":  vendortest.Say(func() any { return Report{s.Report(), s.TokensIssued()} }),
	})
}
