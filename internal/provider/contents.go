package provider

import (
	"crypto/sha256"
	"io"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/filesys"
)

// maxContents is how many bytes of a file that configures an inventory are compared. A longer file is refused by the provider.
const maxContents = 1 << 20

// withContents adds the contents of the files that configure a section to the fingerprint of its settings, and has the files
// watched: other contents, such as a CA that was renewed, open the inventory again. A file that cannot be read has none; the
// provider reports it.
func withContents(settings config.Fingerprint, s config.Section, c any) config.Fingerprint {
	by, ok := c.(interface{ ConfiguredBy() []string })
	if !ok || s.Secrets.Skip {
		return settings
	}
	for _, path := range by.ConfiguredBy() {
		s.Secrets.Files = append(s.Secrets.Files, path)
		of := sha256.Sum256(contents(path))
		settings = sha256.Sum256(append(settings[:], of[:]...))
	}
	return settings
}

// contents is the beginning of a file.
func contents(path string) []byte {
	f, err := filesys.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxContents))
	if err != nil {
		return nil
	}
	return text
}
