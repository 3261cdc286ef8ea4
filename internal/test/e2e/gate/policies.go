package gate

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// SetPolicies replaces the policy file by rename. The webhooks of the gate are added to content, with their secrets in
// files.
func (g *Gate) SetPolicies(content string) error {
	folder := g.config.Dir
	var text strings.Builder
	text.WriteString(content + "webhooks:\n")
	for _, e := range g.entrances {
		if err := os.WriteFile(filepath.Join(folder, "secret_"+e.mode), []byte(e.credentials.Secret), 0o600); err != nil {
			return fmt.Errorf("write secret: %w", err)
		}
		fmt.Fprintf(&text, "  - {name: %[1]s, id: %[2]s, secret: {file: secret_%[1]s}, policy: %[1]s}\n", e.mode, e.credentials.ID)
	}
	g.config.PolicyPath = filepath.Join(folder, "posture.yaml")
	if err := os.WriteFile(g.config.PolicyPath+".new", []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("write policy file: %w", err)
	}
	if err := os.Rename(g.config.PolicyPath+".new", g.config.PolicyPath); err != nil {
		return fmt.Errorf("replace policy file: %w", err)
	}
	return nil
}
