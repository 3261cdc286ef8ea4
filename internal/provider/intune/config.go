package intune

import (
	"cmp"
	"crypto/x509"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Config says which tenant to ask, and what to require of a device.
type Config struct {
	// The tenant: its ID, or one of its domain names.
	TenantID string `env:"INTUNE_TENANT_ID,required" example:"8f0c2b1e-5d3a-4c7b-9e21-0a6b4d7c1f10" accepted:"the ID of the tenant, or one of its domain names"`
	// The application (client) ID of the app registration.
	ClientID string `env:"INTUNE_CLIENT_ID,required" example:"3b1f7d52-6c0e-4f8a-8a1d-5e9c2b7a4d01" accepted:"the application (client) ID of the app registration, a GUID"`
	// A client secret of the app registration: its value, not its ID.
	ClientSecret config.Secret `env:"INTUNE_CLIENT_SECRET" unset:"required without a certificate" example:"the-value-that-entra-shows-once" accepted:"the value of a client secret, without a certificate beside it"`
	// A PEM file with the certificate of the app registration, in place of a secret.
	CertPath config.Path `env:"INTUNE_CERT_PATH" unset:"required without a secret" example:"/etc/step-posture-connector/intune.crt" accepted:"the path of a PEM file with the certificate that was uploaded to the app registration"`
	// A PEM file with the private key of that certificate, RSA of at least 2048 bits.
	KeyPath config.Path `env:"INTUNE_KEY_PATH" unset:"required without a secret" example:"/etc/step-posture-connector/intune.key" accepted:"the path of a PEM file with the RSA key of the certificate"`
	// The cloud of the tenant: `worldwide` (also US GCC), `gcc_high`, `dod`, or `china` (21Vianet). It decides where a token is asked for, what it is for, and where devices are.
	Cloud string `env:"INTUNE_CLOUD" envDefault:"worldwide" choice:"worldwide,gcc_high,dod,china"`
	// Where tokens are asked for, in place of the cloud's host: for a proxy, or a test.
	LoginURL string `env:"INTUNE_LOGIN_URL" example:"https://login.example.com" accepted:"https://… in place of the sign-in host of the cloud"`
	// Where devices are asked for, in place of the cloud's host: for a proxy, or a test. The token stays one for the cloud's.
	GraphURL string `env:"INTUNE_GRAPH_URL" example:"https://graph.example.com" accepted:"https://… in place of the Graph host of the cloud"`
	// The group that a device must be a member of: its exact display name, or better its object ID, with `id:` before it or without; without it none is required.
	Group string `env:"INTUNE_GROUP" example:"id:5f0d6a1c-93f4-4c0e-b0f4-7a2f8f6f1d11" accepted:"the display name of a group, or its object ID, with id: before it or without"`
	// `1`: what Intune knows about a device, its user and its groups goes to step-ca, for the certificate.
	Enrich config.Switch `env:"INTUNE_ENRICH" envDefault:"0" accepted:"0 or 1"`
	// `1`: only a device that Intune says is compliant may pass.
	RequireCompliant config.Switch `env:"INTUNE_REQUIRE_COMPLIANT" envDefault:"0" accepted:"0 or 1"`
	// `1`: a device that does not comply yet, but is in the grace period of its compliance policy, counts as compliant.
	GraceIsCompliant config.Switch `env:"INTUNE_GRACE_IS_COMPLIANT" envDefault:"0" accepted:"0 or 1"`
	// `1`: a device that Intune has a record of but no MDM manages may pass too.
	AllowUnmanaged config.Switch `env:"INTUNE_ALLOW_UNMANAGED" envDefault:"0" accepted:"0 or 1"`
	// Seconds for each request to Microsoft.
	Timeout config.Whole `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	// RootCAs are the CAs that may have issued the servers' certificates; nil means the system's.
	RootCAs *x509.CertPool

	facts bool // a policy file may read facts
}

// Requirements are what is required of a device.
func (c Config) Requirements() posture.Requirements {
	return posture.Requirements{
		Groups: posture.RequiredGroup(requiredGroup(c.Group)), AllowUnmanaged: bool(c.AllowUnmanaged), Compliant: bool(c.RequireCompliant),
	}
}

// Facts are all.
func (c Config) Facts() posture.FactSet { return posture.AllFacts() }

// ReadFacts says that a policy file may read facts: a lookup then fails where one that is read cannot be asked for.
func (c *Config) ReadFacts() { c.facts = true }

// Listable says that a section of a policy file may have a snapshot.
func (c Config) Listable() {}

// Files are the certificate and its key.
func (c Config) Files() []string {
	var files []string
	for _, path := range []config.Path{c.CertPath, c.KeyPath} {
		if path != "" {
			files = append(files, string(path))
		}
	}
	return files
}

// ConfiguredBy are the same files.
func (c Config) ConfiguredBy() []string { return c.Files() }

// Problems returns what the tags of Config cannot say.
func (c Config) Problems() config.Problems {
	var problems config.Problems
	wrong := func(variable, text, accepted string) {
		problems = append(problems, config.Problem{Variable: variable, Text: text, Accepted: accepted})
	}
	const tenant = "the ID of the tenant, a GUID, or one of its domain names, such as example.onmicrosoft.com"
	switch {
	case c.TenantID == "": // reported as not set
	case slices.Contains([]string{"common", "organizations", "consumers"}, strings.ToLower(c.TenantID)):
		wrong("INTUNE_TENANT_ID", "an application cannot log in to all tenants", tenant)
	case !isGUID(c.TenantID) && !isDomain(c.TenantID):
		wrong("INTUNE_TENANT_ID", "is neither a GUID nor a domain name", tenant)
	}
	if c.ClientID != "" && !isGUID(c.ClientID) {
		wrong("INTUNE_CLIENT_ID", "is no GUID", "the application (client) ID of the app registration")
	}
	if strings.HasPrefix(strings.ToLower(c.Group), groupPrefix) && !isGroupID(c.Group) {
		wrong("INTUNE_GROUP", "begins with id:, and no object ID follows", "id: and the object ID of a group, a GUID")
	}
	for _, host := range []struct{ variable, text string }{{"INTUNE_LOGIN_URL", c.LoginURL}, {"INTUNE_GRAPH_URL", c.GraphURL}} {
		if host.text == "" {
			continue
		}
		base, err := vendorhttp.ParseBase(host.text)
		switch {
		case err != nil:
			wrong(host.variable, err.Error(), "https:// and a host")
		case ofAnotherCloud(base.Host, c.Cloud):
			// Fail closed: what one cloud issues or accepts must not be sent to another one.
			wrong(host.variable, base.Host+" is not of the cloud of INTUNE_CLOUD, "+c.Cloud, "the cloud in INTUNE_CLOUD, without this")
		}
	}
	return append(problems, c.credentialProblems()...)
}

// credentialProblems says what is wrong with the credentials: there is exactly one way to log in.
func (c Config) credentialProblems() config.Problems {
	const ways = "either INTUNE_CLIENT_SECRET, or INTUNE_CERT_PATH and INTUNE_KEY_PATH"
	problem := func(variable, text, accepted string) config.Problems {
		return config.Problems{{Variable: variable, Text: text, Accepted: accepted}}
	}
	switch {
	case c.ClientSecret.IsSet() && len(c.Files()) > 0:
		return problem("INTUNE_CLIENT_SECRET", "there is a certificate or a key beside it", ways)
	case c.ClientSecret.IsSet() && isGUID(string(c.ClientSecret.Reveal())):
		return problem("INTUNE_CLIENT_SECRET", "is a GUID, as the ID of a secret is", "the value of the client secret, which Entra shows once")
	case c.ClientSecret.IsSet():
		return nil
	case len(c.Files()) == 0:
		return problem("INTUNE_CLIENT_SECRET", "is not set, and there is no certificate", ways)
	case c.CertPath == "":
		return problem("INTUNE_CERT_PATH", "is not set, and there is a key", ways)
	case c.KeyPath == "":
		return problem("INTUNE_KEY_PATH", "is not set, and there is a certificate", ways)
	}
	return nil // New reads the files: a policy file is tested where they are not
}

// cloud is where a national cloud has its hosts.
type cloud struct{ login, graph string }

// cloudOf returns the hosts of a cloud. A token of one cloud is not accepted in another one.
// https://learn.microsoft.com/en-us/graph/deployments
func cloudOf(name string) cloud {
	switch name {
	case "gcc_high":
		return cloud{"https://login.microsoftonline.us", "https://graph.microsoft.us"}
	case "dod":
		return cloud{"https://login.microsoftonline.us", "https://dod-graph.microsoft.us"}
	case "china":
		return cloud{"https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"}
	}
	return cloud{"https://login.microsoftonline.com", "https://graph.microsoft.com"}
}

// ofAnotherCloud reports whether a host is one of Microsoft's, and none of the cloud.
func ofAnotherCloud(host, name string) bool {
	is := func(of cloud) bool {
		return strings.EqualFold("https://"+host, of.login) || strings.EqualFold("https://"+host, of.graph)
	}
	return !is(cloudOf(name)) && slices.ContainsFunc([]string{"worldwide", "gcc_high", "dod", "china"}, func(other string) bool { return is(cloudOf(other)) })
}

// hosts are the sign-in host and the Graph host that are asked.
func (c Config) hosts() (login, graph *url.URL, err error) {
	of := cloudOf(c.Cloud)
	if login, err = vendorhttp.ParseBase(cmp.Or(c.LoginURL, of.login)); err != nil {
		return nil, nil, problemOf("INTUNE_LOGIN_URL", err)
	}
	if graph, err = vendorhttp.ParseBase(cmp.Or(c.GraphURL, of.graph)); err != nil {
		return nil, nil, problemOf("INTUNE_GRAPH_URL", err)
	}
	return login, graph, nil
}

// isGUID reports whether a text is a GUID.
func isGUID(text string) bool {
	return regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`).MatchString(text)
}

func isDomain(text string) bool {
	const longest = 253
	return len(text) <= longest && regexp.MustCompile(`^([0-9A-Za-z]([0-9A-Za-z-]{0,61}[0-9A-Za-z])?\.)+[A-Za-z][0-9A-Za-z-]{0,61}[0-9A-Za-z]$`).MatchString(text)
}

// expired reports whether a certificate is of no use any more.
func expired(certificate *x509.Certificate, now time.Time) bool {
	return now.After(certificate.NotAfter)
}
