package config

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/document"
)

// Section is a part of a policy file that gives the values of a struct that also declares environment variables: the
// key of JAMF_BASE_URL is base_url where Prefix is JAMF_.
type Section struct {
	Value   document.Value
	Prefix  string
	Others  []string // keys that the caller reads
	Secrets *SecretReader
}

// Fingerprint tells the settings of one section from those of another, secrets included.
type Fingerprint [sha256.Size]byte

// ParseSection fills into from a section. What is wrong is reported to the document; into is of no use then, and ok is
// false. Problems of the whole, which the tags of fields cannot find, are those of the method Problems, if into has it.
func ParseSection[T any](s Section, into *T) (settings Fingerprint, ok bool) {
	fields := fieldsOf[T]()
	keys := slices.Clone(s.Others)
	for _, f := range fields {
		keys = append(keys, s.Key(f.variable))
	}
	m := s.Value.Mapping(keys...)
	environ := map[string]string{}
	ok = true
	for _, f := range fields {
		v := m.Get(s.Key(f.variable))
		if !v.IsSet() {
			continue
		}
		text, isText := s.text(f, v)
		ok = ok && isText
		if isText && text == "" && !(f.secret && s.Secrets.Skip) {
			v.Fault(cmp.Or(f.accepted(), "a value"), "it is empty")
			ok = false
		}
		environ[f.variable] = text
	}
	problems := Parse(environ, into)
	if len(problems) == 0 && ok {
		if more, has := any(into).(interface{ Problems() Problems }); has {
			problems = more.Problems()
		}
	}
	for _, p := range problems {
		key := s.Key(p.Variable)
		switch v := m.Get(key); {
		case v.IsSet() && environ[p.Variable] == "":
			continue // It was reported already, or is left out.
		case v.IsSet():
			v.Fault(p.Accepted, "%s", p.Text)
		default:
			m.Require(key, p.Accepted)
		}
		ok = false
	}
	hash := sha256.New()
	for _, f := range fields {
		_, _ = fmt.Fprintf(hash, "%d:%s=%s\n", len(environ[f.variable]), f.variable, environ[f.variable])
	}
	return Fingerprint(hash.Sum(nil)), ok
}

// Key is the name of a variable in the section.
func (s Section) Key(variable string) string {
	return strings.ToLower(strings.TrimPrefix(variable, s.Prefix))
}

// text returns a value as the variable would have it.
func (s Section) text(f field, v document.Value) (string, bool) {
	switch {
	case f.typ == reflect.TypeFor[Secret]():
		secret, ok := s.Secrets.Read(v)
		return string(secret.Reveal()), ok
	case f.typ == reflect.TypeFor[Switch]():
		on, ok := v.Bool()
		return map[bool]string{true: "1", false: "0"}[on], ok
	case f.typ == reflect.TypeFor[Whole]():
		n, ok := v.Whole()
		return strconv.FormatInt(n, 10), ok
	case f.typ == reflect.TypeFor[Path]():
		text, ok := v.Text()
		return within(s.Secrets.Folder, text), ok
	default:
		text, ok := v.Text()
		if u, err := url.Parse(text); ok && err == nil && u.Scheme != "" && u.User != nil {
			v.Fault("a URL without them", "a user name or password does not belong in a URL")
			return "", false
		}
		return text, ok
	}
}

// within resolves a relative path against a folder.
func within(folder, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(folder, path)
}

// secretRef is where a secret is: in a file, or in an environment variable.
type secretRef struct {
	kind string // "file" or "env"
	name document.Value
}

// AcceptedSecret says what a policy file has in place of a secret.
const AcceptedSecret = "{file: PATH} or {env: NAME}" //nolint:gosec // G101: no secret

// secretReference reads where a secret is. A secret itself does not belong in the file, and is not shown.
func secretReference(v document.Value) (secretRef, bool) {
	if !v.IsMapping() {
		v.Fault(AcceptedSecret, "a secret does not belong in this file")
		return secretRef{}, false
	}
	for name, member := range v.Names() {
		if document.Nearest(name, []string{"file", "env"}) == "" {
			// The key is not shown unless it is a misspelled one: {SECRET} is a mapping with the secret as its key.
			v.FaultAt(member.Key(), AcceptedSecret, "unknown key")
			return secretRef{}, false
		}
	}
	m := v.Mapping("file", "env")
	switch file, env := m.Get("file"), m.Get("env"); {
	case file.IsSet() && env.IsSet():
		v.Fault(AcceptedSecret, "it has both file and env")
	case file.IsSet():
		return secretRef{"file", file}, true
	case env.IsSet():
		return secretRef{"env", env}, true
	default:
		v.Fault(AcceptedSecret, "it has neither file nor env")
	}
	return secretRef{}, false
}

// SecretReader reads the secrets that a policy file refers to.
type SecretReader struct {
	// Folder is where relative paths begin.
	Folder string
	// Environ is where {env: NAME} is looked up.
	Environ map[string]string
	// Skip reads no secret: to check a file on a machine that does not have them.
	Skip bool
	// Files are those that were read, or could not be read, and Variables those that were looked up.
	Files, Variables []string
}

// Read reads a secret. What is wrong is reported to the document. With Skip the secret is empty.
func (r *SecretReader) Read(v document.Value) (Secret, bool) {
	ref, ok := secretReference(v)
	if !ok {
		return Secret{}, false
	}
	name, ok := ref.name.Text()
	switch {
	case !ok:
		return Secret{}, false
	case name == "":
		ref.name.Fault(AcceptedSecret, "it is empty")
		return Secret{}, false
	case r.Skip:
		return Secret{}, true
	}
	if ref.kind == "env" {
		r.Variables = append(r.Variables, name)
		value := r.Environ[name]
		if value == "" {
			ref.name.Fault("the name of a variable that is set", "the environment variable is not set")
			return Secret{}, false
		}
		return NewSecret([]byte(value)), true
	}
	path := within(r.Folder, name)
	r.Files = append(r.Files, path)
	text, err := readSecret(path)
	if err != nil {
		ref.name.Fault("the path of a file with the secret", "%v", err)
		return Secret{}, false
	}
	return NewSecret([]byte(text)), true
}
