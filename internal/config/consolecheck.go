package config

import (
	"errors"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// Origin is the https URL of a host, without a path.
type Origin string

// UnmarshalText accepts https://host or https://host:port; a slash at the end is dropped.
func (o *Origin) UnmarshalText(text []byte) error {
	u, ok := secureURL(string(text))
	if !ok || u.Path != "" && u.Path != "/" || !isSentAsHost(u) {
		return errors.New(quote(string(text)))
	}
	*o = Origin("https://" + strings.ToLower(u.Host))
	return nil
}

// isSentAsHost reports whether browsers send the host of a URL as it is written: names in ASCII, and with a port that exists.
func isSentAsHost(u *url.URL) bool {
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	hasPort := strings.HasSuffix(u.Host, ":"+u.Port())
	return (!hasPort || err == nil && port > 0) && !strings.ContainsFunc(u.Host, func(r rune) bool { return r > '~' })
}

// Issuer is the URL of an OpenID provider, exactly as its tokens have it.
type Issuer string

// UnmarshalText accepts an https URL without a query. Plain HTTP is refused also on loopback: whoever answers there could log in
// everybody.
func (i *Issuer) UnmarshalText(text []byte) error {
	if _, ok := secureURL(string(text)); !ok {
		return errors.New(quote(string(text)))
	}
	*i = Issuer(text)
	return nil
}

// secureURL reads an https URL that has nothing but a host and a path.
func secureURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || strings.ContainsAny(text, "# \\") {
		return nil, false
	}
	return u, true
}

// IsLoopback reports whether the listener is at an address that only this machine reaches. Of names, only localhost is one.
func (l Listener) IsLoopback() bool {
	host, _, err := net.SplitHostPort(string(l))
	if err != nil {
		return false
	}
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// HasOIDC reports whether people log in at an OpenID provider.
func (c Console) HasOIDC() bool { return c.ConsoleOIDCIssuer != "" }

// HasUsers reports whether people have to log in.
func (c Console) HasUsers() bool { return c.ConsoleUsersFile != "" || c.HasOIDC() }

// HasTLS reports whether the console has TLS. Without users it is on loopback alone, and has it only with a certificate of its own.
func (c Console) HasTLS() bool { return c.HasUsers() || c.ConsoleTLSCertPath != "" }

// consoleSetting is a variable of the console, and whether it is set.
type consoleSetting struct {
	variable string
	isSet    bool
	accepted string
}

// oidcSettings are what an OpenID provider needs beside its issuer.
func (c Console) oidcSettings() []consoleSetting {
	return []consoleSetting{
		{"CONSOLE_OIDC_CLIENT_ID", c.ConsoleOIDCClientID != "", "the client ID of the console"},
		{"CONSOLE_OIDC_CLIENT_SECRET", c.ConsoleOIDCClientSecret.IsSet(), "the client secret of the console"},
		{"CONSOLE_OIDC_GROUP", c.ConsoleOIDCGroup != "", "the name of the group whose members may log in"},
		{"CONSOLE_URL", c.ConsoleURL != "", "the https URL at which people open the console, without a path"},
	}
}

// problems are what is wrong with the variables of the console together, beside what is wrong with each.
func (c Console) problems(all Config, before Problems) (problems Problems) {
	const address = "CONSOLE_ADDRESS"
	add := func(variable, text, accepted string) {
		if !before.about(variable) && !before.about(variable+fileSuffix) {
			problems = append(problems, Problem{variable, text, accepted})
		}
	}
	const cert, key = "CONSOLE_TLS_CERT_PATH", "CONSOLE_TLS_KEY_PATH"
	switch {
	case c.ConsoleTLSCertPath != "" && c.ConsoleTLSKeyPath == "":
		add(key, "not set, but "+cert+" is", "the path of a PEM file with the private key of the console")
	case c.ConsoleTLSKeyPath != "" && c.ConsoleTLSCertPath == "":
		add(cert, "not set, but "+key+" is", "the path of a PEM file with the certificate of the console")
	}
	c.oidcProblems(before, add)
	if c.ConsoleAddress.Off() {
		return problems
	}
	if !all.Journal {
		add(address, "set, but JOURNAL is not 1: there would be nothing to show", "JOURNAL=1 and STATE_URL with it, or off")
	}
	if !c.HasUsers() && !c.ConsoleAddress.IsLoopback() && !before.about("CONSOLE_USERS_FILE") && !before.about("CONSOLE_OIDC_ISSUER") {
		// Fail closed: whoever reaches the port would see everything.
		add(address, "not on loopback, and there are no users: everybody who reaches it could see the devices", "127.0.0.1:PORT, [::1]:PORT or localhost:PORT; elsewhere with CONSOLE_USERS_FILE or CONSOLE_OIDC_ISSUER")
	}
	const another = "host:port with another port, or off"
	switch {
	case c.ConsoleAddress.clashes(all.BindAddress, all.Port):
		add(address, "the same port as PORT, on the same address", another)
	case c.ConsoleAddress.overlaps(all.HealthAddress):
		add(address, "the same port as HEALTH_ADDRESS, on the same address", another)
	case c.ConsoleAddress.overlaps(all.APIAddress):
		add(address, "the same port as API_ADDRESS, on the same address", another)
	case c.ConsoleAddress.overlaps(all.DoorAddress):
		add(address, "the same port as DOOR_ADDRESS, on the same address", another)
	}
	return problems
}

// oidcProblems reports an OpenID provider that is described in part.
func (c Console) oidcProblems(before Problems, add func(variable, text, accepted string)) {
	const issuer = "CONSOLE_OIDC_ISSUER"
	for _, s := range c.oidcSettings() {
		switch {
		case c.HasOIDC() && !s.isSet:
			add(s.variable, "not set, but "+issuer+" is", s.accepted)
		case !c.HasOIDC() && s.isSet && strings.HasPrefix(s.variable, "CONSOLE_OIDC_"):
			// Fail closed: who sets it wants people to log in.
			if !before.about(issuer) {
				add(issuer, "not set, but "+s.variable+" is", "the https URL of an OpenID issuer, or none of CONSOLE_OIDC_…")
			}
			return
		}
	}
}

// warnings are the settings of the console that have no effect, a line for each.
func (c Console) warnings() (warnings []string) {
	if !c.ConsoleAddress.Off() {
		if c.ConsoleURL != "" && !c.HasOIDC() {
			warnings = append(warnings, "CONSOLE_URL is set but CONSOLE_OIDC_ISSUER is not: it has no effect")
		}
		return warnings
	}
	for _, s := range append([]consoleSetting{
		{variable: "CONSOLE_TLS_CERT_PATH", isSet: c.ConsoleTLSCertPath != ""},
		{variable: "CONSOLE_USERS_FILE", isSet: c.ConsoleUsersFile != ""},
		{variable: "CONSOLE_OIDC_ISSUER", isSet: c.HasOIDC()},
	}, c.oidcSettings()...) {
		if s.isSet {
			warnings = append(warnings, s.variable+" is set but CONSOLE_ADDRESS is not: it has no effect")
		}
	}
	return warnings
}
