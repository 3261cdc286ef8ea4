package auditchain_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"step-posture-connector/internal/auditchain"
)

// FuzzVerify changes a log in many places. Verify never panics, and calls intact only what begins as the log does and ends at the end
// of one of its lines, behind lines without a chain that it counts.
func FuzzVerify(f *testing.F) {
	original, err := os.ReadFile(mixedLog(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0, 10, 0, 'x'}, []byte{})
	f.Add([]byte{3, 200, 1, 7, 2, 90, 3, 0}, []byte("{}\n"))
	f.Add([]byte{4, 1, 0, 2, 5, 0, 1, 2}, []byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, edits, front []byte) {
		text := edit(bytes.Clone(original), edits)
		text = append(bytes.Clone(front), text...)
		r, err := auditchain.Verify(t.Context(), auditchain.Options{Key: key()}, []string{"-"}, bytes.NewReader(text))
		if err != nil || !r.Intact {
			return
		}
		covered := text
		for range r.NotCovered {
			_, covered, _ = bytes.Cut(covered, []byte("\n"))
		}
		if len(covered) == 0 || !bytes.HasPrefix(original, covered) || !bytes.HasSuffix(covered, []byte("\n")) {
			t.Errorf("intact after %v:\n%s", edits, text)
		}
	})
}

// mixedLog is a log with an unfinished line, and decisions.
func mixedLog(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	l := open(t, path, key())
	l.write(t, 3)
	_ = l.Close()
	text := strings.Join(linesOf(t, path), "")
	put(t, path, text, `{"time":"20`)
	l = open(t, path, key())
	l.write(t, 3)
	_ = l.Close()
	return path
}

// edit makes the edits that four bytes each describe: what is done, where, and with what.
func edit(text, edits []byte) []byte {
	lines := func() [][]byte { return bytes.SplitAfter(text, []byte("\n")) }
	for ; len(edits) >= 4 && len(text) > 0; edits = edits[4:] {
		at, with := (int(edits[1])|int(edits[2])<<8)%len(text), edits[3]
		switch edits[0] % 6 {
		case 0:
			text[at] = with
		case 1:
			text = append(text[:at], text[at+1:]...)
		case 2:
			text = append(text[:at], append([]byte{with}, text[at:]...)...)
		case 3: // a line less
			all := lines()
			i := at % len(all)
			text = bytes.Join(append(all[:i:i], all[i+1:]...), nil)
		case 4: // a line moved, or repeated
			all := lines()
			i, j := at%len(all), int(with)%len(all)
			text = bytes.Join(append(all[:j:j], append([][]byte{all[i]}, all[j:]...)...), nil)
		case 5:
			text = text[:at]
		}
	}
	return text
}

// FuzzReadCertificate reads anything without a panic.
func FuzzReadCertificate(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"))
	f.Add([]byte{0x30, 0x82, 1, 0})
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := auditchain.ReadCertificate(text)
		if (c == nil) != (err != nil) {
			t.Errorf("%v, %v", c, err)
		}
	})
}
