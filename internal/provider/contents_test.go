package provider_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/provider"
)

// TestContents: other contents of a file that configures an inventory are other settings, so that a reload opens it again;
// the file is watched, and it is not read where secrets are not.
func TestContents(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "ca.pem")
	for kind, section := range map[string]string{
		"http": `
provider: http
base_url: https://assets.example.org
ca_file: ` + path + `
request: {path: "/v1/{{serial}}"}
select: {items: "[body]", more: "false"}
map: {device.serial_number: item.sn, device.managed: "true"}
`,
		"sql": `
provider: sql
driver: sqlite
dsn: {env: DSN}
query_file: ` + path + `
`,
	} {
		t.Run(kind, func(t *testing.T) {
			read := func(skip bool) (*provider.Section, []string) {
				t.Helper()
				d, root, err := document.Parse("posture.yaml", []byte(section), provider.Shape())
				if err != nil {
					t.Fatal(err)
				}
				secrets := &config.SecretReader{Folder: folder, Environ: map[string]string{"DSN": "sqlite:/srv/devices.db"}, Skip: skip}
				s := provider.ReadSection("one", root, secrets)
				if kind == "http" && d.Faults().Error() != "" {
					t.Fatal(d.Faults())
				}
				return s, secrets.Files
			}
			write := func(text string) {
				t.Helper()
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write("SELECT 1 AS device_identifier WHERE $1 <> ''")
			one, files := read(false)
			again, _ := read(false)
			write("SELECT 2 AS device_identifier WHERE $1 <> ''")
			two, _ := read(false)
			if !slices.Contains(files, path) || !slices.Contains(one.Files(), path) {
				t.Errorf("the file is not watched: %q, %q", files, one.Files())
			}
			if !one.Same(again) || one.Same(two) {
				t.Errorf("the same contents are the same settings: %v; others are: %v", one.Same(again), one.Same(two))
			}
			if _, files := read(true); slices.Contains(files, path) {
				t.Error("the file is read where no secret is")
			}
		})
	}
}
