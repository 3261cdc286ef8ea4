package config

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"step-posture-connector/internal/document"
)

// Whole is a whole number in decimal digits; its range is in the field's tag.
type Whole int

// UnmarshalText accepts digits only: no sign, no spaces, no other base.
func (w *Whole) UnmarshalText(text []byte) error {
	number, err := strconv.ParseUint(string(text), 10, 31)
	if err != nil {
		return errors.New(quote(string(text)))
	}
	*w = Whole(number)
	return nil
}

// Seconds returns the number as a duration of so many seconds.
func (w Whole) Seconds() time.Duration { return time.Duration(w) * time.Second }

// Switch is 0 (off) or 1 (on).
type Switch bool

// UnmarshalText accepts 0 and 1. Anything else could be meant either way, so it is refused.
func (s *Switch) UnmarshalText(text []byte) error {
	switch string(text) {
	case "0":
		*s = false
	case "1":
		*s = true
	default:
		return errors.New(quote(string(text)))
	}
	return nil
}

// Lines is text that may have several lines, such as a query in a policy file.
type Lines string

// Path is the path of a file.
type Path string

const longestPath = 4096 // bytes, PATH_MAX of Linux

// UnmarshalText refuses the contents of a file: a private key that was pasted in place of its path must not be part of
// an error about opening it.
func (p *Path) UnmarshalText(text []byte) error {
	if isContents(string(text)) {
		return errors.New("not a path; it looks like the contents of a file")
	}
	// If no such file exists, the error of opening it would show what may be a secret; but in a folder that exists,
	// the path may be that of a file to create.
	secretLike := regexp.MustCompile(`^[A-Za-z0-9+/_-]{32,}={0,2}$`)
	if path := string(text); secretLike.Match(text) && !exists(path) && !inFolder(path) {
		return errors.New("there is no such file; the value is not shown, because it looks like a secret; if it is the name of a file to create, write ./ before it")
	}
	*p = Path(text)
	return nil
}

// isContents reports whether a value is the contents of a file, and not its path.
func isContents(text string) bool {
	return len(text) > longestPath || strings.ContainsAny(text, "\n\r\x00") || strings.Contains(text, "-----BEGIN")
}

// inFolder reports whether a path names an existing folder other than the root: one base64 secret in 64 begins with a
// slash.
func inFolder(path string) bool {
	folder := filepath.Dir(path)
	return filepath.Dir(folder) != folder && exists(folder)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// UUIDs is a list of webhook IDs, in lower case.
type UUIDs []string

// UnmarshalText accepts UUIDs separated by commas, with optional white space around them, none twice.
func (u *UUIDs) UnmarshalText(text []byte) error {
	first := map[string]int{}
	var problems []error
	for i, entry := range splitList(string(text)) {
		id := strings.ToLower(entry)
		switch before, repeated := first[id]; {
		case entry == "":
			problems = append(problems, fmt.Errorf("entry %d is empty; remove one comma", i+1))
		case !isUUID(id) && anID.MatchString(id) && !strings.ContainsAny(entry, ";\r\n") && len(anID.FindAllString(id, 2)) == 1:
			problems = append(problems, fmt.Errorf("entry %d has something beside the UUID; only the UUID belongs here", i+1))
		case strings.ContainsAny(entry, "; \t\r\n"):
			problems = append(problems, fmt.Errorf("entry %d has a semicolon, a space or a line break in it; IDs are separated by commas", i+1))
		case isSecret(entry):
			problems = append(problems, fmt.Errorf("entry %d is not a UUID, but looks like a secret, which belongs in WEBHOOK_SECRETS", i+1))
		case !isUUID(id):
			// The entry is not quoted: it may be a secret that was put into the wrong variable.
			problems = append(problems, fmt.Errorf("entry %d is not a UUID", i+1))
		case repeated:
			problems = append(problems, fmt.Errorf("entry %d repeats entry %d", i+1, before))
		default:
			first[id] = i + 1
		}
		*u = append(*u, id)
	}
	return errors.Join(problems...)
}

// anID finds a UUID, in lower case.
var anID = regexp.MustCompile(`\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b`)

func isUUID(text string) bool {
	lower := strings.ToLower(text)
	return anID.FindString(lower) == lower && text != ""
}

// leastSecret is the length, in bytes, below which a signing secret could be guessed; step-ca makes 64.
const leastSecret = 32

// Secrets is a list of signing secrets, decoded.
type Secrets struct{ list []Secret }

// UnmarshalText accepts standard base64, separated by commas or line ends, of at least 32 bytes each.
func (s *Secrets) UnmarshalText(text []byte) error {
	if regexp.MustCompile(`(?m)^\W*(Webhook ID|Secret): `).Match(text) {
		return errors.New("this is all that step ca printed; only the part after \"Secret: \" belongs here")
	}
	var problems []error
	separated := strings.NewReplacer("\r\n", ",", "\n", ",").Replace(strings.TrimRight(string(text), "\r\n"))
	for i, entry := range splitList(separated) {
		secret, err := base64.StdEncoding.Strict().DecodeString(entry)
		unusable := err != nil || len(secret) < leastSecret
		switch {
		case entry == "":
			problems = append(problems, fmt.Errorf("entry %d is empty", i+1))
		case isQuoted(entry):
			problems = append(problems, fmt.Errorf("entry %d is in quotation marks; remove them", i+1))
		case unusable && isPath(entry):
			problems = append(problems, fmt.Errorf("entry %d is a path; that of a file with secrets belongs in WEBHOOK_SECRETS_FILE", i+1))
		case isUUID(entry):
			problems = append(problems, fmt.Errorf("entry %d is an ID, which belongs in WEBHOOK_IDS", i+1))
		case err != nil:
			problems = append(problems, fmt.Errorf("entry %d is not standard base64%s", i+1, whyNotBase64(entry)))
		case unusable:
			problems = append(problems, fmt.Errorf("entry %d has %d bytes when decoded, fewer than %d", i+1, len(secret), leastSecret))
		case len(bytes.Trim(secret, "\x00")) == 0:
			// HMAC fills a short key up with zeros (RFC 2104), so such a secret signs as the empty key does.
			problems = append(problems, fmt.Errorf("entry %d has only zero bytes", i+1))
		case isEncoded(secret):
			problems = append(problems, fmt.Errorf("entry %d was encoded as base64 twice; decode it once, to what step ca printed (a Kubernetes Secret has base64 under data, and the text itself under stringData)", i+1))
		}
		s.list = append(s.list, NewSecret(secret))
	}
	return errors.Join(problems...)
}

// whyNotBase64 says why an entry is not standard base64, if the likely cause is known.
func whyNotBase64(entry string) string {
	switch {
	case strings.HasPrefix(entry, "#"):
		return ": it begins with #, but comments are not allowed here"
	case strings.ContainsAny(entry, " \t;"):
		return ": it has a space or a semicolon in it; secrets are separated by commas"
	case strings.ContainsAny(entry, "-_"):
		return ": it has - or _, which step-ca's secrets do not have"
	}
	if secret, err := base64.RawStdEncoding.Strict().DecodeString(entry); err == nil && len(secret) >= leastSecret {
		return ": the = at its end is missing; it was not copied as a whole"
	}
	return ""
}

// isSecret reports whether text could be a signing secret.
func isSecret(text string) bool {
	secret, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(secret) >= leastSecret
}

// isPath reports whether an entry that is not a secret is the path of a file.
func isPath(entry string) bool {
	return regexp.MustCompile(`^(~|\.{0,2})/`).MatchString(entry) || exists(entry)
}

// isEncoded reports whether the bytes of a secret are themselves a secret in base64. Random bytes never are. A word or a
// hexadecimal number may be valid base64, but lacks one of the kinds of characters.
func isEncoded(secret []byte) bool {
	text := strings.TrimRight(string(secret), "\r\n")
	return isSecret(text) && strings.ContainsFunc(text, unicode.IsUpper) &&
		strings.ContainsFunc(text, unicode.IsLower) && strings.ContainsFunc(text, unicode.IsDigit)
}

// repeated returns the places, from 1, of the first two secrets that are the same, or zeros.
func (s Secrets) repeated() (first, again int) {
	for b := range s.list {
		for a := range b {
			if bytes.Equal(s.list[a].Reveal(), s.list[b].Reveal()) {
				return a + 1, b + 1
			}
		}
	}
	return 0, 0
}

// List returns the secrets in the order they were given.
func (s Secrets) List() []Secret { return s.list }

// Words is a list of words separated by commas.
type Words []string

// UnmarshalText accepts words separated by commas, with optional white space around them. A line break in one is refused:
// it comes from a missing quotation mark in an env file.
func (w *Words) UnmarshalText(text []byte) error {
	for i, entry := range splitList(string(text)) {
		switch {
		case entry == "":
			return fmt.Errorf("entry %d is empty", i+1)
		case strings.ContainsFunc(entry, unicode.IsControl):
			return fmt.Errorf("entry %d has a line break or another control character in it", i+1)
		}
		*w = append(*w, entry)
	}
	return nil
}

func splitList(text string) []string {
	entries := strings.Split(text, ",")
	for i, entry := range entries {
		entries[i] = strings.TrimSpace(entry)
	}
	return entries
}

// quote shows a value only when it is short and plain. After a missing quotation mark in .env, the next lines, secrets
// among them, are part of the value.
func quote(value string) string {
	if regexp.MustCompile(`^[A-Za-z0-9._:/+-]{1,16}$`).MatchString(value) {
		return strconv.Quote(value) + " is not accepted"
	}
	return "the value is not accepted"
}

// Duration is a span of time with a unit, such as 90d or 36h.
type Duration time.Duration

// UnmarshalText accepts what document.ParseDurationUpTo reads, from an hour to ten years.
func (d *Duration) UnmarshalText(text []byte) error {
	read, ok := document.ParseDurationUpTo(string(text), longestRetention+1) // more than that is refused, and not shortened
	if !ok || read < leastRetention || read > longestRetention {
		return errors.New(quote(string(text)))
	}
	*d = Duration(read)
	return nil
}
