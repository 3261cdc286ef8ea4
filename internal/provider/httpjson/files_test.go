package httpjson_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"step-posture-connector/internal/provider/httpjson"
)

// TestCAFile: the file with CAs is one of the inventory.
func TestCAFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "ca.pem")
	c := configured(t, assets+"ca_file: "+path+"\n")
	if !slices.Equal(c.Files(), []string{path}) || !slices.Equal(c.ConfiguredBy(), []string{path}) {
		t.Errorf("the files are %q and %q", c.Files(), c.ConfiguredBy())
	}
	if _, _, err := httpjson.Open(c); err == nil || !strings.Contains(err.Error(), "ca_file: ") {
		t.Errorf("Open without the file = %v", err)
	}
}

// TestListLacks: what has to be configured for a list is said in the words of the section.
func TestListLacks(t *testing.T) {
	t.Parallel()
	for want, section := range map[string]string{
		"the section has no list": assets,
		"names no device": `
base_url: https://assets.example.org
answer: status
request: {path: "/v1/{{serial}}"}
outcome: {found: 'status == 200 && text == ""', not_found: 'status == 404 && text == "no"'}
map: {device.managed: "true"}
`,
	} {
		p, err := httpjson.New(configured(t, section))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		if len(p.Lists()) > 0 || !strings.Contains(p.ListLacks(), want) {
			t.Errorf("ListLacks = %q, want %q", p.ListLacks(), want)
		}
	}
}
