package access

import (
	"net/http"
	"net/netip"
	"strings"
)

// notLocal says why a request is not of this machine, or is not known to be; empty where it is. Without users everybody is let in
// who is on this machine. A page of another site that has its own name point to 127.0.0.1 sends that name as Host. A proxy on this
// machine would make the whole world local, so what shows one is refused.
func notLocal(r *http.Request) string {
	if !isLocalHost(r.Host) {
		return "it was asked by another name than localhost, 127.0.0.1 and [::1]"
	}
	if peer, err := netip.ParseAddrPort(r.RemoteAddr); err != nil || !peer.Addr().Unmap().IsLoopback() {
		return "the client is not on this machine"
	}
	for name := range r.Header {
		if isForwarding(name) {
			return "it came through a proxy: it has the header " + name
		}
	}
	return ""
}

// isLocalHost reports whether Host is a name of this machine, with or without a port.
func isLocalHost(host string) bool {
	for _, name := range []string{"localhost", "127.0.0.1", "[::1]"} {
		if len(host) < len(name) || !strings.EqualFold(host[:len(name)], name) {
			continue
		}
		port, hasPort := strings.CutPrefix(host[len(name):], ":")
		if port == "" || hasPort && strings.Trim(port, "0123456789") == "" {
			return true
		}
	}
	return false
}

// isForwarding reports whether a header, by its canonical name, is one that proxies add.
func isForwarding(name string) bool {
	return name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded")
}

// clientOf is the client of a request as the limits of log-ins count it: its address, or of IPv6 the network, which one machine has
// whole.
func clientOf(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	address := peer.Addr().Unmap().WithZone("")
	const network = 64
	if prefix, err := address.Prefix(network); err == nil && address.Is6() {
		return prefix.String()
	}
	return address.String()
}

// hostOf is Host in one form: browsers leave the default port of https out, and an operator may have written it.
func hostOf(host string) string { return strings.TrimSuffix(strings.ToLower(host), ":443") }
