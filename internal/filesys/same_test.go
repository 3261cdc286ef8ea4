package filesys_test

import (
	"os"
	"path/filepath"
	"testing"

	"step-posture-connector/internal/filesys"
)

func TestSame(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	at := func(name string) string { return filepath.Join(folder, name) }
	if err := os.Mkdir(at("sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"file", "other"} {
		if err := os.WriteFile(at(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"link": at("file"), "sublink": at("sub")} {
		if err := os.Symlink(to, at(link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Link(at("file"), at("hard")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{at("file"), at("file"), true},
		{at("file"), folder + "/sub/../file", true},
		{at("file"), at("link"), true},
		{at("file"), at("hard"), true},
		{at("file"), at("other"), false},
		{at("new"), at("new"), true},
		{at("new"), folder + "/./new", true},
		{at("new"), at("newer"), false},
		{at("sub/new"), at("sublink/new"), true},
		{at("new"), at("sub/new"), false},
		{at("nowhere/new"), at("elsewhere/new"), false},
		{"", "", false},
		{at("file"), "", false},
	} {
		if filesys.Same(c.a, c.b) != c.want || filesys.Same(c.b, c.a) != c.want {
			t.Errorf("%s and %s: want %v", c.a, c.b, c.want)
		}
	}
}
