package config

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
)

// Config is the configuration of the daemon itself; each provider declares its own.
type Config struct {
	Provider       string  `env:"PROVIDER"`
	TLSCertPath    Path    `env:"TLS_CERT_PATH,required" accepted:"the path of a PEM file with the server certificate, leaf first"`
	TLSKeyPath     Path    `env:"TLS_KEY_PATH,required" accepted:"the path of a PEM file with the private key of the server certificate"`
	WebhookIDs     UUIDs   `env:"WEBHOOK_IDS,required" accepted:"UUIDs of step-ca webhooks, separated by commas, none twice"`
	WebhookSecrets Secrets `env:"WEBHOOK_SECRETS,required" accepted:"signing secrets in standard base64 of at least 32 bytes each, separated by commas, in the order of WEBHOOK_IDS"`
	EnableMTLS     Switch  `env:"ENABLE_MTLS" envDefault:"0" accepted:"0 or 1"`
	TLSCAPath      Path    `env:"TLS_CA_PATH" accepted:"the path of a PEM file with the CA certificates that client certificates chain to"`
	Port           Whole   `env:"PORT" envDefault:"9443" range:"1-65535"`
	LoggingLevel   Whole   `env:"LOGGING_LEVEL" envDefault:"0" range:"0-2"`
	Timeout        Whole   `env:"TIMEOUT" envDefault:"10" range:"1-300"`

	BindAddress        Address `env:"BIND_ADDRESS" accepted:"an IP address or a host name, without a port or brackets"`
	MTLSAllowedNames   Words   `env:"MTLS_ALLOWED_NAMES" accepted:"DNS names, e-mail addresses or common names, separated by commas, no wildcards"`
	TimestampTolerance Whole   `env:"TIMESTAMP_TOLERANCE" envDefault:"30" range:"1-3600"`
	MaxConnections     Whole   `env:"MAX_CONNECTIONS" envDefault:"4096" range:"1-100000"`
	LogFormat          string  `env:"LOG_FORMAT" envDefault:"text" choice:"text,json"`
	AuditLogPath       Path    `env:"AUDIT_LOG_PATH" accepted:"the path of a file that can be appended to"`
	Health
}

// Health says where the daemon answers questions about itself.
type Health struct {
	HealthAddress Listener `env:"HEALTH_ADDRESS" envDefault:"127.0.0.1:9444" accepted:"host:port of a listener for health and metrics, or off"`
}

// Load reads the daemon's configuration from environ.
func Load(environ map[string]string) (Config, Problems) {
	var c Config
	problems := Parse(environ, &c)
	ids, secrets := len(c.WebhookIDs), len(c.WebhookSecrets.List())
	if ids > 0 && secrets > 0 && ids != secrets && !problems.surplus() {
		variable := "WEBHOOK_SECRETS"
		if environ[variable] == "" {
			variable += fileSuffix
		}
		problems = append(problems, Problem{
			variable, fmt.Sprintf("%d given for %d in WEBHOOK_IDS", secrets, ids),
			"one secret for each ID, in the same order",
		})
	}
	if bool(c.EnableMTLS) && c.TLSCAPath == "" && !problems.about("TLS_CA_PATH") {
		problems = append(problems, Problem{
			"TLS_CA_PATH", "not set, but ENABLE_MTLS is 1",
			"the path of a PEM file with the CA certificates that client certificates chain to",
		})
	}
	if environ[healthVariable] != "" && c.HealthAddress.clashes(c.BindAddress, c.Port) {
		problems = append(problems, Problem{healthVariable, "the same port as PORT, on the same address", "host:port with another port, or off"})
	}
	return c, append(problems, nameProblems(c.MTLSAllowedNames)...)
}

const healthVariable = "HEALTH_ADDRESS"

// leastTolerance is what step-ca's one retry needs: it comes up to 11 s later with the first timestamp.
const leastTolerance = 11

// Warnings returns what is accepted but probably not meant.
func (c Config) Warnings() []string {
	var warnings []string
	if bool(c.EnableMTLS) && len(c.MTLSAllowedNames) == 0 {
		warnings = append(warnings, "MTLS_ALLOWED_NAMES is not set: any certificate of the CA passes, also those issued to devices; set it to the name in step-ca's own certificate")
	}
	if !c.EnableMTLS && c.TLSCAPath != "" {
		warnings = append(warnings, "TLS_CA_PATH is set but ENABLE_MTLS is not 1: no client certificate is asked for")
	}
	if !c.EnableMTLS && len(c.MTLSAllowedNames) > 0 {
		warnings = append(warnings, "MTLS_ALLOWED_NAMES is set but ENABLE_MTLS is not 1: no client certificate is asked for")
	}
	if a, b := c.WebhookSecrets.repeated(); b > 0 {
		warnings = append(warnings, fmt.Sprintf("WEBHOOK_SECRETS: entry %d is the same as entry %d; step-ca makes each webhook a secret of its own, so the calls of one of them will be refused", b, a))
	}
	if c.TimestampTolerance < leastTolerance {
		warnings = append(warnings, fmt.Sprintf("TIMESTAMP_TOLERANCE is below %d: step-ca's retry carries the timestamp of its first try and may be refused as expired", leastTolerance))
	}
	return warnings
}

// Address is the address of a listener, without its port.
type Address string

// UnmarshalText accepts an IP address or a host name.
func (a *Address) UnmarshalText(text []byte) error {
	hostName := regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$`)
	if _, err := netip.ParseAddr(string(text)); err != nil && !hostName.Match(text) {
		return errors.New(quote(string(text)))
	}
	*a = Address(text)
	return nil
}
