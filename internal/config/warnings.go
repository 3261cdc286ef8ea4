package config

import "fmt"

// leastTolerance is what step-ca's single retry needs: it comes up to 11 s later, with the timestamp of the first attempt.
const leastTolerance = 11

// Warnings returns the settings that are accepted but probably not meant.
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
	if bool(c.AuditFacts) && c.AuditLogPath == "" {
		warnings = append(warnings, "AUDIT_FACTS is 1 but AUDIT_LOG_PATH is not set: nothing is recorded")
	}
	warnings = append(warnings, c.Chain.warnings()...)
	warnings = append(warnings, c.Compat.warnings(c)...)
	warnings = append(warnings, c.Console.warnings()...)
	if c.DoorAddress.Off() && c.DoorClientCAPath != "" {
		warnings = append(warnings, "DOOR_CLIENT_CA_PATH is set but DOOR_ADDRESS is not: there is no door where a caller could show a certificate of it")
	}
	if c.TimestampTolerance < leastTolerance {
		warnings = append(warnings, fmt.Sprintf("TIMESTAMP_TOLERANCE is below %d: step-ca's retry carries the timestamp of its first try and may be refused as expired", leastTolerance))
	}
	return warnings
}
