package program

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// AuditLine is a line of the audit log.
type AuditLine struct {
	Time       time.Time `json:"time"`
	Reference  string    `json:"reference"`
	Decision   string    `json:"decision"`
	Code       string    `json:"code"`
	Reason     string    `json:"reason"`
	Identifier string    `json:"identifier"`
	Mode       string    `json:"mode"`
	Provider   string    `json:"provider"`
	WebhookID  string    `json:"webhook_id"`
	RequestID  string    `json:"request_id"`
	Groups     []string  `json:"groups"`
	DurationMS *float64  `json:"duration_ms"`
	PublicKey  string    `json:"public_key_sha256"`
}

// ReadAuditLog reads an audit log. Every line must be complete.
func ReadAuditLog(t *testing.T, path string) []AuditLine {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		t.Errorf("the last line of %s is not complete", path)
	}
	var lines []AuditLine
	for text := range strings.Lines(string(text)) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.DisallowUnknownFields()
		var line AuditLine
		if err := decoder.Decode(&line); err != nil {
			t.Errorf("not a line of the audit log: %q: %v", text, err)
		}
		if line.Reference == "" || line.Groups == nil || line.DurationMS == nil || line.Time.IsZero() {
			t.Errorf("a key is missing: %s", text)
		}
		lines = append(lines, line)
	}
	return lines
}
