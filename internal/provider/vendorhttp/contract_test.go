package vendorhttp_test

import (
	"testing"
	"time"

	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/vendorhttp"
)

// open opens a provider on a server with the devices.
func open(t *testing.T, limit time.Duration, devices []providertest.Device, auth func(*acmeServer) vendorhttp.Options) (*acmeServer, providertest.Service) {
	t.Helper()
	server := newServer(t) // the suites ask for its violations
	server.replace(devices...)
	o := auth(server)
	o.Timeout = limit
	return server, providertest.Service{
		Inventory: providertest.Inventory{
			Provider: opened(o), Replace: server.replace, Secrets: server.secrets, Violations: server.Violations,
		},
		Server: server.Server,
		Lookup: []string{"devices"},
	}
}

func openWithTokens(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
	t.Helper()
	server, service := open(t, limit, devices, func(s *acmeServer) vendorhttp.Options { return s.options(t) })
	service.Token, service.Expire, service.Revoke = []string{tokenEndpoint}, server.revoke, server.revoke
	return service
}

func openWithHeader(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
	t.Helper()
	_, service := open(t, limit, devices, func(s *acmeServer) vendorhttp.Options { return s.withHeader(t, s.secret) })
	return service
}

func TestContract(t *testing.T) {
	t.Parallel()
	providertest.Run(t, providertest.Harness{Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
		t.Helper()
		return openWithTokens(t, 10*time.Second, devices...).Inventory
	}})
}

// TestContractOfFaults is where every row runs: providers that ask by this package need not repeat them.
func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	providertest.RunHTTP(t, providertest.HTTPHarness{Open: openWithTokens, Lacks: providertest.EndpointsOfTypes})
}

func TestContractOfFaultsWithStaticHeader(t *testing.T) {
	t.Parallel()
	providertest.RunHTTP(t, providertest.HTTPHarness{
		Open: openWithHeader, Lacks: providertest.EndpointsOfTypes | providertest.Tokens, OverVendorhttp: true, Sibling: true,
	})
}
