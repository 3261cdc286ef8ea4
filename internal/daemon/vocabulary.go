package daemon

import (
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/provider"
)

// variables are all variables of the connector.
func variables() []string { return append(config.Variables[config.Config](), provider.Variables()...) }

// vocabulary has the variables, and the names of other programs for the same things, which are too different from ours for a
// comparison of spellings.
func vocabulary() config.Vocabulary {
	meant := map[string]string{}
	for _, row := range [][2]string{
		{"LOGGING_LEVEL", "LOG_LEVEL LOGLEVEL VERBOSE DEBUG"},
		{"LOG_FORMAT", "LOGGING_FORMAT LOG_TYPE"},
		{"JAMF_BASE_URL", "JAMF_URL JAMF_PRO_URL JAMF_HOST JAMF_SERVER JAMF_SERVER_URL JAMF_API_URL JAMF_INSTANCE JSS_URL"},
		{"JAMF_CLIENT_ID and JAMF_CLIENT_SECRET, of an API client", "JAMF_USERNAME JAMF_USER JAMF_PASSWORD JAMF_PASS JAMF_API_USER JAMF_API_PASSWORD JAMF_TOKEN JAMF_API_TOKEN JAMF_API_CLIENT"},
		{"JAMF_CLIENT_ID", "JAMF_API_CLIENT_ID"},
		{"JAMF_CLIENT_SECRET", "JAMF_API_CLIENT_SECRET JAMF_SECRET"},
		{"JAMF_COMPUTER_GROUP or JAMF_DEVICE_GROUP", "JAMF_GROUP JAMF_REQUIRED_GROUP"},
		{"JAMF_COMPUTER_GROUP", "JAMF_MAC_GROUP"},
		{"JAMF_DEVICE_GROUP", "JAMF_MOBILE_DEVICE_GROUP JAMF_MOBILE_GROUP"},
		{"JAMF_COMPUTER_ENRICH or JAMF_DEVICE_ENRICH", "JAMF_ENRICH"},
		{"TIMEOUT", "JAMF_TIMEOUT REQUEST_TIMEOUT HTTP_TIMEOUT"},
		{"ENABLE_MTLS", "MTLS_ENABLED MTLS_ENABLE MTLS ENABLE_MUTUAL_TLS"},
		{"TLS_CA_PATH", "TLS_CA TLS_CA_FILE MTLS_CA MTLS_CA_PATH CLIENT_CA"},
		{"TLS_CRL_PATH", "TLS_CRL TLS_CRL_FILE MTLS_CRL MTLS_CRL_PATH CLIENT_CRL CRL_PATH CRL_FILE CRL"},
		{"MTLS_ALLOWED_NAMES", "MTLS_NAMES ALLOWED_NAMES"},
		{"TLS_CERT_PATH", "TLS_CERT TLS_CRT TLS_CERT_FILE TLS_CERTIFICATE SSL_CERT"},
		{"TLS_KEY_PATH", "TLS_KEY TLS_KEY_FILE TLS_PRIVATE_KEY SSL_KEY"},
		{"HEALTH_ADDRESS", "HEALTH_ADDR HEALTH_PORT METRICS_ADDRESS METRICS_ADDR"},
		{"BIND_ADDRESS", "BIND_ADDR BIND LISTEN_ADDRESS LISTEN_ADDR HOST"},
		{"PORT", "LISTEN_PORT WEBHOOK_PORT BIND_PORT"},
		{"AUDIT_LOG_PATH", "AUDIT_LOG AUDIT_LOG_FILE AUDIT_PATH AUDIT_FILE"},
		{"POLICY_PATH", "POLICY POLICIES POLICY_FILE POLICY_YAML POLICIES_PATH POLICIES_FILE POSTURE_PATH POSTURE_FILE POSTURE_YAML"},
		{"FILE_PATH", "INVENTORY INVENTORY_FILE FILE_NAME"},
		{"FILE_TYPE", "INVENTORY_TYPE INVENTORY_FORMAT FILE_FORMAT"},
		{"WEBHOOK_IDS", "WEBHOOK_UUID"},
		{"STATE_URL", "STATE_PATH STATE_DB DATABASE_URL DB_URL"},
		{"API_ADDRESS", "API_ADDR API_PORT"},
		{"DOOR_ADDRESS", "DOOR_ADDR DOOR_PORT DOORS_ADDRESS"},
		{"DOOR_CLIENT_CA_PATH", "DOOR_CA DOOR_CA_PATH DOOR_CLIENT_CA"},
		// These are keys of the policy file; docs/doors/variables.md has them in a table, and a test compares.
		{"callers of each door in the policy file", "DOOR_ALLOWED_NAMES"},
		{"doors.radius and doors.forward_auth of the policy file", "DOORS"},
		{"mode of the policy that a door has, in the policy file", "DOOR_MODE"},
		{"header of doors.forward_auth in the policy file", "DOOR_CERT_HEADER"},
		{"doors.issuers of the policy file", "DOOR_ISSUER_PATH"},
		{"doors.provisioners of the policy file", "DOOR_PROVISIONERS"},
		{"doors.crl of the policy file", "DOOR_CRL_PATH"},
		{"identity of doors.forward_auth in the policy file", "DOOR_IDENTITY"},
		{"cache of each door in the policy file", "DOOR_CACHE"},
		{"vlan of doors.radius in the policy file", "RADIUS_VLAN RADIUS_VLAN_GROUPS"},
		{"session_timeout of doors.radius in the policy file", "RADIUS_SESSION_TIMEOUT"},
		{"quarantine of doors.radius in the policy file", "RADIUS_QUARANTINE_VLAN"},
		{"CONSOLE_ADDRESS", "CONSOLE_ADDR CONSOLE_PORT CONSOLE"},
		{"CONSOLE_USERS_FILE", "CONSOLE_USERS CONSOLE_USERS_PATH CONSOLE_HTPASSWD"},
		{"CONSOLE_OIDC_ISSUER", "OIDC_ISSUER CONSOLE_OIDC_URL"},
		{"TIMESTAMP_TOLERANCE", "CLOCK_SKEW"},
		{"MAX_CONNECTIONS", "MAX_CONNS"},
	} {
		for name := range strings.FieldsSeq(row[1]) {
			meant[name] = row[0]
		}
	}
	former := provider.FormerVariables()
	return config.Vocabulary{Known: append(variables(), former...), Meant: meant, Prefixes: prefixes(append(provider.Variables(), former...))}
}

// PresentNames returns the environment with the present names of a provider and its variables that had others before.
func PresentNames(environ config.Environment) (config.Environment, error) {
	return provider.Renamed(environ.WithCompat())
}

// prefixes are the first words of names that have several.
func prefixes(names []string) []string {
	var all []string
	for _, name := range names {
		if first, _, several := strings.Cut(name, "_"); several && !slices.Contains(all, first+"_") {
			all = append(all, first+"_")
		}
	}
	return all
}
