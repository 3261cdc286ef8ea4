package httpjsontest

import (
	"net/http"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// Admin is that of every simulated server, see vendortest.Server.Admin, with
//
//	PUT  /devices    the inventory, a JSON list of Device
func (s *Server) Admin() http.Handler {
	return s.Server.Admin(map[string]http.Handler{
		"PUT /devices": vendortest.Receive(func(devices []Device) { s.Replace(devices...) }),
	})
}
