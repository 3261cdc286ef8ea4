package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
)

// Ask asks the daemon whose health listener is at address, host:port. A host that means all addresses is asked on this
// machine. An unavailable daemon is no error; no answer, or the answer of another program, is an error.
func Ask(ctx context.Context, address string) (Report, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return Report{}, fmt.Errorf("health listener: %w", err)
	}
	switch ip, _ := netip.ParseAddr(host); {
	case ip == netip.IPv6Unspecified():
		host = "::1"
	case ip == netip.IPv4Unspecified(), host == "":
		host = "127.0.0.1"
	}
	address = net.JoinHostPort(host, port)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/readyz", http.NoBody)
	if err != nil {
		return Report{}, fmt.Errorf("health listener: %w", err)
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // no proxy: it is on this machine
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	response, err := client.Do(request)
	if err != nil {
		return Report{}, fmt.Errorf("%w; is the daemon running, with the same HEALTH_ADDRESS?", err)
	}
	defer response.Body.Close()
	var report Report
	err = json.NewDecoder(io.LimitReader(response.Body, maxReport)).Decode(&report)
	switch {
	case err != nil, report.Checks == nil, response.StatusCode != http.StatusOK && response.StatusCode != http.StatusServiceUnavailable:
		return Report{}, errors.New("the server at " + address + " is not the connector; check HEALTH_ADDRESS")
	case response.StatusCode != http.StatusOK, report.Status != OK && report.Status != Degraded:
		report.Status = Unavailable // fail closed
	}
	return report, nil
}
