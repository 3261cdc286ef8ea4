package config

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
)

// Config is the configuration of the daemon itself; each provider declares its own. The comments of the fields are
// what an operator reads: see the package comment.
type Config struct {
	// Which provider decides.
	Provider string `env:"PROVIDER" unset:"required without POLICY_PATH" group:"The inventory"`

	// A YAML file with inventories, policies and webhooks, see [policies](policy.md).
	//
	// Beside it, `PROVIDER` is an inventory of that name, and `WEBHOOK_IDS` are webhooks with the policy `default`.
	PolicyPath Path `env:"POLICY_PATH" example:"posture.yaml" accepted:"the path of a policy file" group:"The policy"`

	// The server certificate in PEM, leaf first, its chain behind it.
	//
	// A file with a part that cannot be read is refused, with the line.
	TLSCertPath Path `env:"TLS_CERT_PATH,required" accepted:"the path of a PEM file with the server certificate, leaf first" group:"TLS"`

	// The private key of the server certificate, in PEM.
	TLSKeyPath Path `env:"TLS_KEY_PATH,required" accepted:"the path of a PEM file with the private key of the server certificate" group:"TLS"`

	// The IDs (UUIDs) of step-ca's webhooks, as `step ca provisioner webhook add` prints them, separated by commas,
	// none twice.
	WebhookIDs UUIDs `env:"WEBHOOK_IDS" requiredWithout:"POLICY_PATH COMPAT_MDMSECURITYDEMO" unset:"required without POLICY_PATH" accepted:"UUIDs of step-ca webhooks, separated by commas, none twice" group:"step-ca's webhooks"`

	// Their signing secrets, as the same command prints them (base64 of at least 32 bytes), separated by commas, in
	// the order of `WEBHOOK_IDS`.
	WebhookSecrets Secrets `env:"WEBHOOK_SECRETS" requiredWithout:"POLICY_PATH COMPAT_MDMSECURITYDEMO" unset:"required without POLICY_PATH" accepted:"signing secrets in standard base64 of at least 32 bytes each, separated by commas, in the order of WEBHOOK_IDS" group:"step-ca's webhooks"`

	// `1`: a client without a valid certificate does not get through the TLS handshake. step-ca presents one.
	EnableMTLS Switch `env:"ENABLE_MTLS" envDefault:"0" accepted:"0 or 1" group:"TLS"`

	// The CA certificates in PEM that client certificates must chain to.
	TLSCAPath Path `env:"TLS_CA_PATH" unset:"required with ENABLE_MTLS" example:"root_ca.crt" accepted:"the path of a PEM file with the CA certificates that client certificates chain to" group:"TLS"`

	// Revocation lists (CRLs) of the CA in `TLS_CA_PATH`, in PEM or DER: clients whose certificate is on one are turned away.
	//
	// With the certificates of the issuers of the lists, where `TLS_CA_PATH` does not have them. See
	// [revoked callers](operation.md#revoked-callers).
	TLSCRLPath Path `env:"TLS_CRL_PATH" example:"ca.crl" accepted:"the path of a file with revocation lists (CRLs) in PEM or DER" group:"TLS"`

	// The TCP port to listen on.
	Port Whole `env:"PORT" envDefault:"9443" range:"1-65535" group:"The listener"`

	// `0`: decisions, start and stop; `1`: also failed connections; `2`: also all connections, requests to the MDM
	// and reads of files.
	LoggingLevel Whole `env:"LOGGING_LEVEL" envDefault:"0" range:"0-2" group:"The log"`

	// Seconds for each HTTPS request that a provider makes. The provider `file` makes none.
	//
	// A webhook call is answered within 9 seconds in any case.
	Timeout Whole `env:"TIMEOUT" envDefault:"10" range:"1-300" group:"Requests to the inventory"`

	// The IP address or host name to listen on; all addresses when not set.
	BindAddress Address `env:"BIND_ADDRESS" example:"127.0.0.1" accepted:"an IP address or a host name, without a port or brackets" group:"The listener"`

	// Names, separated by commas; the client certificate must carry one. Use those of step-ca's own certificate:
	// without this, every certificate of that CA passes, also those of devices.
	//
	// DNS names, e-mail addresses or common names. No wildcards, URLs, ports, IP addresses or quotation marks; of a
	// certificate whose common name has a comma, use a DNS name. Common names are compared exactly, DNS names and the
	// hosts of e-mail addresses without regard to case.
	MTLSAllowedNames Words `env:"MTLS_ALLOWED_NAMES" example:"ca.example.com" accepted:"DNS names, e-mail addresses or common names, separated by commas, no wildcards" group:"TLS"`

	// Seconds that the timestamp of a request may lie in the past or the future.
	//
	// Keep it at 11 or more: step-ca's single retry reuses the timestamp of the first attempt.
	TimestampTolerance Whole `env:"TIMESTAMP_TOLERANCE" envDefault:"30" range:"1-3600" group:"step-ca's webhooks"`

	// The maximum number of open connections; fewer if the limit of open files is lower.
	//
	// At the limit, the oldest connection that has not authenticated a request makes room for a new one, also with a
	// request in flight; those younger than a second are spared, and then the longest idle of the others makes room.
	MaxConnections Whole `env:"MAX_CONNECTIONS" envDefault:"4096" range:"1-100000" group:"The listener"`

	// The format of the log.
	//
	// See [the log](logging.md).
	LogFormat string `env:"LOG_FORMAT" envDefault:"text" choice:"text,json" group:"The log"`

	// A file for the audit log only. Every decision is appended to it, as one JSON line.
	//
	// See [the audit log](logging.md#the-audit-log).
	AuditLogPath Path `env:"AUDIT_LOG_PATH" example:"/var/log/step-posture-connector/audit.jsonl" accepted:"the path of a file that can be appended to" group:"The log"`

	// `1`: the audit log also has what the inventories said, for `policy replay`. All facts are asked for then.
	AuditFacts Switch `env:"AUDIT_FACTS" envDefault:"0" accepted:"0 or 1" group:"The log"`

	// The database with what must outlive a restart or be shared by replicas: `sqlite:/path/of/a/file` or
	// `postgres://user:password@host/database`. Enrolment tokens need it.
	//
	// See [enrolment](enrolment.md).
	StateURL Secret `env:"STATE_URL" path:"allowed" example:"sqlite:/var/lib/step-posture-connector/state.db" accepted:"sqlite:/path/of/a/file, or postgres://user:password@host/database" group:"State"`

	// `1`: every decision also goes into the database of `STATE_URL`, with facts, for the command `decisions` and the console.
	//
	// All facts are asked for then, as with `AUDIT_FACTS`. See [the console](console.md).
	Journal Switch `env:"JOURNAL" envDefault:"0" accepted:"0 or 1" group:"Journal and console"`

	// How long the journal keeps a decision.
	JournalRetention Duration `env:"JOURNAL_RETENTION" envDefault:"90d" accepted:"a duration with a unit from 1h to 3650d, such as 90d or 36h" group:"Journal and console"`

	// Where the API of enrolment tokens is served over plain HTTP, for use inside a cluster; `off` for nowhere.
	//
	// The listener of `PORT` serves it in any case.
	APIAddress Listener `env:"API_ADDRESS" envDefault:"off" accepted:"host:port of a listener for the API without TLS, or off" group:"State"`

	// Where RADIUS servers and web servers ask whether a device is still good, over TLS with client certificates; `off` for
	// nowhere.
	//
	// The policy file says who may ask, see [doors](doors/README.md).
	DoorAddress Listener `env:"DOOR_ADDRESS" envDefault:"off" accepted:"host:port of a listener for RADIUS servers and web servers, or off" group:"Doors"`

	// The CA certificates in PEM that the certificates of these callers must chain to. Not those that issue to devices.
	DoorClientCAPath Path `env:"DOOR_CLIENT_CA_PATH" unset:"required with DOOR_ADDRESS" example:"callers_ca.crt" accepted:"the path of a PEM file with the CA certificates that callers of doors chain to" group:"Doors"`

	Chain
	Compat
	Console
	Health
}

// Health is where the daemon serves its health checks and metrics.
type Health struct {
	// Where `/healthz`, `/readyz` and `/metrics` are, over plain HTTP; `off` for nowhere.
	//
	// See [operation](operation.md). Not the port of `PORT`.
	HealthAddress Listener `env:"HEALTH_ADDRESS" envDefault:"127.0.0.1:9444" accepted:"host:port of a listener for health and metrics, or off" group:"Health and metrics"`
}

// Load reads the daemon's configuration from environ.
func Load(environ map[string]string) (Config, Problems) {
	var c Config
	problems := Parse(environ, &c)
	problems = append(problems, webhookProblems(environ, c, problems)...)
	if bool(c.EnableMTLS) && c.TLSCAPath == "" && !problems.about("TLS_CA_PATH") {
		problems = append(problems, Problem{
			"TLS_CA_PATH", "not set, but ENABLE_MTLS is 1",
			"the path of a PEM file with the CA certificates that client certificates chain to",
		})
	}
	if c.TLSCRLPath != "" && !bool(c.EnableMTLS) && !problems.about("ENABLE_MTLS") {
		// Fail closed: whoever sets it wants revoked clients turned away, and none could be.
		problems = append(problems, Problem{
			"TLS_CRL_PATH", "set, but ENABLE_MTLS is not 1: no client certificate is asked for", "ENABLE_MTLS=1 and TLS_CA_PATH with it, or neither",
		})
	}
	if environ[healthVariable] != "" && c.HealthAddress.clashes(c.BindAddress, c.Port) {
		problems = append(problems, Problem{healthVariable, "the same port as PORT, on the same address", "host:port with another port, or off"})
	}
	problems = append(problems, c.apiProblems()...)
	problems = append(problems, c.doorProblems(problems)...)
	problems = append(problems, c.Chain.problems(environ, c, problems)...)
	problems = append(problems, c.journalProblems(environ, problems)...)
	problems = append(problems, c.Compat.problems(environ, c, problems)...)
	problems = append(problems, c.Console.problems(c, problems)...)
	return c, append(problems, nameProblems(c.MTLSAllowedNames)...)
}

// Webhooks are the webhooks of the environment.
type Webhooks struct {
	IDs     UUIDs   `env:"WEBHOOK_IDS" accepted:"UUIDs of step-ca webhooks, separated by commas, none twice"`
	Secrets Secrets `env:"WEBHOOK_SECRETS" accepted:"signing secrets in standard base64 of at least 32 bytes each, separated by commas, in the order of WEBHOOK_IDS"`
}

// LoadWebhooks reads the webhooks of the environment again: their files may have changed.
func LoadWebhooks(environ map[string]string) (Webhooks, Problems) {
	var w Webhooks
	problems := Parse(environ, &w)
	c := Config{WebhookIDs: w.IDs, WebhookSecrets: w.Secrets}
	return w, append(problems, webhookProblems(environ, c, problems)...)
}

// WebhookPipe is the variable of the webhooks of the environment whose file is a pipe, if there is one. A pipe can be read
// only once: a second reading would wait for a writer.
func WebhookPipe(environ map[string]string) (variable string) {
	for _, variable := range Variables[Webhooks]() {
		if path := environ[variable]; strings.HasSuffix(variable, fileSuffix) && path != "" {
			if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
				return variable
			}
		}
	}
	return ""
}

// WebhookIDs are the IDs of the webhooks of the environment, as far as they can be read. They are for programs that do not
// answer webhooks, and so need not have their secrets.
func WebhookIDs(environ map[string]string) UUIDs {
	var w struct {
		IDs UUIDs `env:"WEBHOOK_IDS"`
	}
	if problems := Parse(environ, &w); len(problems) > 0 {
		return nil
	}
	return w.IDs
}

// WebhookFiles are the files that the webhooks of the environment are in, if any.
func WebhookFiles(environ map[string]string) []string {
	var files []string
	for _, variable := range Variables[Webhooks]() {
		if path := environ[variable]; strings.HasSuffix(variable, fileSuffix) && path != "" {
			files = append(files, path)
		}
	}
	return files
}

// webhookProblems reports IDs without secrets, and the other way round.
func webhookProblems(environ map[string]string, c Config, before Problems) Problems {
	ids, secrets := len(c.WebhookIDs), len(c.WebhookSecrets.List())
	secretsVariable := "WEBHOOK_SECRETS"
	if environ[secretsVariable] == "" && environ[secretsVariable+fileSuffix] != "" {
		secretsVariable += fileSuffix
	}
	about := func(variable string) bool { return before.about(variable) || before.about(variable+fileSuffix) }
	switch {
	case ids == secrets || before.surplus():
	case ids > 0 && secrets > 0:
		return Problems{{secretsVariable, fmt.Sprintf("%d given for %d in WEBHOOK_IDS", secrets, ids), "one secret for each ID, in the same order"}}
	case ids > 0 && !about("WEBHOOK_SECRETS"):
		return Problems{{"WEBHOOK_SECRETS", textNotSet, acceptedFor("WEBHOOK_SECRETS")}}
	case secrets > 0 && !about("WEBHOOK_IDS"):
		return Problems{{"WEBHOOK_IDS", textNotSet, acceptedFor("WEBHOOK_IDS")}}
	}
	return nil
}

// acceptedFor is what a variable of Webhooks takes.
func acceptedFor(variable string) string {
	fields := fieldsOf[Webhooks]()
	return fields[slices.IndexFunc(fields, func(f field) bool { return f.variable == variable })].accepted()
}

// apiProblems reports a listener of the API on the port of another one.
func (c Config) apiProblems() Problems {
	const variable = "API_ADDRESS"
	switch {
	case c.APIAddress.Off():
	case c.APIAddress.clashes(c.BindAddress, c.Port):
		return Problems{{variable, "the same port as PORT, on the same address", "host:port with another port, or off"}}
	case c.APIAddress.overlaps(c.HealthAddress):
		return Problems{{variable, "the same port as HEALTH_ADDRESS, on the same address", "host:port with another port, or off"}}
	}
	return nil
}

// doorProblems reports a listener of the doors on the port of another one, or without the CA of its callers.
func (c Config) doorProblems(before Problems) (problems Problems) {
	const variable, ca = "DOOR_ADDRESS", "DOOR_CLIENT_CA_PATH"
	if c.DoorAddress.Off() {
		return nil
	}
	if c.DoorClientCAPath == "" && !before.about(ca) {
		// Fail closed: without it, whoever reaches the port could ask.
		problems = append(problems, Problem{ca, "not set, but DOOR_ADDRESS is", "the path of a PEM file with the CA certificates that callers of doors chain to"})
	}
	switch {
	case c.DoorAddress.clashes(c.BindAddress, c.Port):
		problems = append(problems, Problem{variable, "the same port as PORT, on the same address", "host:port with another port, or off"})
	case c.DoorAddress.overlaps(c.HealthAddress):
		problems = append(problems, Problem{variable, "the same port as HEALTH_ADDRESS, on the same address", "host:port with another port, or off"})
	case c.DoorAddress.overlaps(c.APIAddress):
		problems = append(problems, Problem{variable, "the same port as API_ADDRESS, on the same address", "host:port with another port, or off"})
	}
	return problems
}

const healthVariable = "HEALTH_ADDRESS"

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
