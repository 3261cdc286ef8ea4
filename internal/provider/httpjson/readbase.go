package httpjson

import (
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/provider/vendorhttp"
)

func (r *reader) readBase() {
	v := r.get(keyBase)
	insecure, _ := r.get("insecure_http").Bool()
	if !v.IsSet() {
		r.own.Missing(keyBase, acceptedBase)
		return
	}
	base := r.url(v, acceptedBase)
	if base == nil {
		return
	}
	switch {
	case base.Scheme == "https" && insecure:
		r.get("insecure_http").Fault("false, or no such key", "base_url begins with https://")
	case base.Scheme == "https":
	case !insecure:
		v.Fault(acceptedBase+"; http:// with insecure_http: true on this machine or in the same cluster", "does not begin with https://")
		return
	case !isNear(base.Hostname()):
		v.Fault("https://…; http:// only for localhost, a loopback address, a name without dots, or one that ends in .svc or .svc.cluster.local", "the host is not on this machine or in the same cluster")
		return
	}
	r.config.base = base
}

// isNear reports whether a host is certainly on this machine or in the same cluster.
func isNear(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.IsLoopback()
	}
	host = strings.ToLower(host)
	// Resolvers of C libraries take a number for an address, which can be anywhere.
	if _, err := strconv.ParseUint(host, 0, 64); err == nil || !regexp.MustCompile(`^[a-z0-9_.-]+$`).MatchString(host) {
		return false
	}
	return host == "localhost" || !strings.Contains(host, ".") || strings.HasSuffix(host, ".svc") || strings.HasSuffix(host, ".svc.cluster.local")
}

// inHost are the characters that a variable may have in a URL: it must not be able to end the host.
var inHost = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}$`)

// url reads a URL, with variables in it.
func (r *reader) url(v document.Value, accepted string) *url.URL {
	text, ok := v.Text()
	if !ok {
		return nil
	}
	t := r.template(v, text, allowed{})
	whole := ""
	for _, p := range t.parts {
		if p.kind == isVar && !inHost.MatchString(p.text) {
			v.Fault("variables of letters, digits and - in a URL", "a variable in the URL has another character, or none")
			return nil
		}
		whole += p.text
	}
	// ParseBase judges the rest of the URL; which schemes are accepted is for the caller.
	scheme, rest, _ := strings.Cut(whole, "://")
	if scheme != "http" && scheme != "https" {
		v.Fault(accepted, "does not begin with https://")
		return nil
	}
	base, err := vendorhttp.ParseBase("https://" + rest)
	if err != nil {
		v.Fault(accepted, "%v", err)
		return nil
	}
	base.Scheme = scheme
	return base
}

// isBase reports whether a URL is of the server of base_url, by the same scheme.
func (r *reader) isBase(u *url.URL) bool {
	return r.config.base != nil && r.config.base.Host == u.Host && r.config.base.Scheme == u.Scheme
}
