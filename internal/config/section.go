package config

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/filesys"
)

// Section is a part of a policy file that gives the values of a struct that also declares environment variables: the
// key of JAMF_BASE_URL is base_url where Prefix is JAMF_.
type Section struct {
	Value   document.Value
	Prefix  string
	Secrets *SecretReader
}

// Fingerprint distinguishes the settings of one section from those of another.
type Fingerprint [sha256.Size]byte

// Identity says what a section configures.
type Identity struct {
	// Settings are those of all keys, secrets included.
	Settings Fingerprint
	// Account is of what decides which records the inventory gives: not of secrets, which change, nor of limits.
	Account Fingerprint
}

// SectionShape declares the section that ParseSection reads. Others are keys that the caller reads.
func SectionShape[T any](prefix string, others ...document.Key) *document.Shape {
	shape := &document.Shape{Type: document.Map, Keys: slices.Clone(others)}
	for _, f := range fieldsOf[T]() {
		shape.Keys = append(shape.Keys, document.Key{Name: keyOf(f.variable, prefix), Shape: f.valueShape(), Required: f.isRequired()})
	}
	return shape
}

// valueShape declares the value of a field in a section.
func (f field) valueShape() *document.Shape {
	standard := f.tag.Get("envDefault")
	shape := &document.Shape{Type: document.Text, Accepted: f.accepted(), Least: 1}
	if standard != "" {
		shape.Default = standard
	}
	switch f.typ {
	case reflect.TypeFor[Secret]():
		shape = SecretShape()
	case reflect.TypeFor[Switch]():
		shape = &document.Shape{Type: document.Bool, Default: standard == "1"}
	case reflect.TypeFor[Whole]():
		shape = &document.Shape{Type: document.Whole}
		low, high, _ := strings.Cut(f.tag.Get("range"), "-")
		shape.Least, _ = strconv.Atoi(low)
		shape.Most, _ = strconv.Atoi(high)
		if n, err := strconv.Atoi(standard); err == nil {
			shape.Default = n
		}
	default:
		if choice := f.tag.Get("choice"); choice != "" {
			shape.Words = strings.Split(choice, ",")
		}
	}
	shape.About = "As the environment variable " + f.variable + "."
	if f.onlySection {
		shape.About = strings.ToUpper(f.accepted()[:1]) + f.accepted()[1:] + "."
		return shape
	}
	if accepted := f.tag.Get("accepted"); accepted != "" && shape.Type == document.Text {
		shape.About = strings.ToUpper(accepted[:1]) + accepted[1:] + ", as the environment variable " + f.variable + "."
	}
	return shape
}

// ParseSection fills into from a section, whose value has a SectionShape. What is wrong is reported to the document; into
// is of no use then, and ok is false. Problems of the whole, which the tags of fields cannot find, are those of the method
// Problems, if into has it.
func ParseSection[T any](s Section, into *T) (identity Identity, ok bool) {
	fields := fieldsOf[T]()
	m := s.Value.Mapping()
	environ := map[string]string{}
	ok = true
	for _, f := range fields {
		if v := m.Get(keyOf(f.variable, s.Prefix)); v.IsSet() {
			if text, isText := s.text(f, v); isText {
				environ[f.variable] = text
			} else {
				ok = false
			}
		}
	}
	problems := parse(maps.Clone(environ), into)
	if more, has := any(into).(interface{ Problems() Problems }); has {
		problems = append(problems, more.Problems()...)
	}
	keys := s.keys(fields)
	for _, p := range problems {
		ok = false
		key := keyOf(p.Variable, s.Prefix)
		v, accepted := m.Get(key), keys.Replace(s.reworded(p.Accepted))
		optional := slices.ContainsFunc(fields, func(f field) bool { return f.variable == p.Variable && !f.isRequired() })
		switch {
		case v.IsSet() && environ[p.Variable] != "":
			v.Fault(accepted, "%s", keys.Replace(s.withoutValue(p.Text, environ[p.Variable])))
		case !v.IsSet() && optional:
			s.Value.Missing(key, accepted)
		default: // a required key that is missing was reported already, and so was what is set and has no value here
		}
	}
	settings, account := sha256.New(), sha256.New()
	for _, f := range fields {
		line := fmt.Appendf(nil, "%d:%s=%s\n", len(environ[f.variable]), f.variable, environ[f.variable])
		_, _ = settings.Write(line)
		if !f.secret && f.variable != timeoutVariable {
			_, _ = account.Write(line)
		}
	}
	return Identity{Fingerprint(settings.Sum(nil)), Fingerprint(account.Sum(nil))}, ok
}

// timeoutVariable is the one that all providers that ask a server share.
const timeoutVariable = "TIMEOUT"

// keys replaces the names of variables by those of keys. The longest comes first, because one may begin as another does.
func (s Section) keys(fields []field) *strings.Replacer {
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		names = append(names, f.variable)
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, name := range names {
		pairs = append(pairs, name+fileSuffix, s.Key(name), name, s.Key(name))
	}
	return strings.NewReplacer(pairs...)
}

// isRequired reports whether a section is of no use without the key.
func (f field) isRequired() bool {
	_, options, _ := strings.Cut(f.tag.Get("env"), ",")
	return options == "required"
}

// Key is the name of a variable in the section.
func (s Section) Key(variable string) string { return keyOf(variable, s.Prefix) }

func keyOf(variable, prefix string) string {
	return strings.ToLower(strings.TrimPrefix(variable, prefix))
}

// withoutValue is a text without the value that it is about, unless that is the path of a file that an operator looks
// for: a value could be a secret that was given in the place of another one.
func (s Section) withoutValue(text, value string) string {
	if quoted := strconv.Quote(value); strings.Contains(text, quoted) {
		return "the value is not accepted"
	}
	return s.reworded(text)
}

// Where a relative path begins: one of a variable, and one of the policy file.
const (
	StartFolder  = "the folder in which the program starts"
	PolicyFolder = "the folder of the policy file"
)

// reworded is a text about an environment variable for a key of the section.
func (s Section) reworded(text string) string {
	return strings.NewReplacer(
		StartFolder, PolicyFolder,
		"the value is the path of a file, which belongs in the variable with "+fileSuffix, "the value is the path of a file; {file: PATH} reads that",
		"; docker run --env-file, for example, passes them on", "",
		"a comment after it, which is part of it for docker run --env-file and systemd; put it on a line of its own", "a # in it; without quotation marks a comment begins there",
	).Replace(text)
}

// text returns a value as the variable would have it.
func (s Section) text(f field, v document.Value) (string, bool) {
	switch f.typ {
	case reflect.TypeFor[Secret]():
		secret, ok := s.Secrets.Read(v)
		return string(secret.Reveal()), ok
	case reflect.TypeFor[Switch]():
		on, ok := v.Bool()
		return map[bool]string{true: "1", false: "0"}[on], ok
	case reflect.TypeFor[Whole]():
		n, ok := v.Whole()
		return strconv.FormatInt(n, 10), ok
	case reflect.TypeFor[Path]():
		text, ok := v.Text()
		return within(s.Secrets.Folder, text), ok
	}
	text, ok := v.Text()
	if ok && withUser.MatchString(text) {
		v.Fault("a URL without them", "a user name or password does not belong in a URL")
		return "", false
	}
	return text, ok
}

// withUser finds the user in a URL, also where the rest of it is wrong.
var withUser = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*:/*[^/?#]*@`)

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

// SecretShape declares where a secret is.
func SecretShape() *document.Shape {
	path := &document.Shape{Type: document.Text, Least: 1, Accepted: "the path of a file with the secret", About: "The path of a file with the secret; a relative path begins in the folder of the policy file."}
	name := &document.Shape{Type: document.Text, Least: 1, Accepted: "the name of an environment variable", About: "The name of an environment variable with the secret."}
	secret := document.MapOf(document.Optional("file", path), document.Optional("env", name))
	secret.Name, secret.OnlyOne, secret.Accepted = "secret", true, AcceptedSecret
	return secret
}

// secretReference reads where a secret is. A secret itself does not belong in the file, and is not shown.
func secretReference(v document.Value) (secretRef, bool) {
	if v.IsNull() {
		return secretRef{}, false // reported as such
	}
	if !v.IsMapping() {
		v.Fault(AcceptedSecret, "a secret does not belong in this file")
		return secretRef{}, false
	}
	if key, stray := v.Stray("file", "env"); stray {
		// The key is not shown unless it is a misspelled one: {SECRET} is a mapping with the secret as its key.
		v.FaultAt(key, AcceptedSecret, "unknown key")
		return secretRef{}, false
	}
	m := v.As(SecretShape()).Mapping()
	switch file, env := m.Get("file"), m.Get("env"); {
	case file.IsSet() && env.IsSet():
		v.Fault(AcceptedSecret, "it has both file and env")
	case file.IsSet():
		return secretRef{"file", file}, true
	case env.IsSet():
		return secretRef{"env", env}, true
	case !v.IsEmpty():
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
	text, err := readSecret(path, filesys.Open) // no pipe: a reload would wait for its writer
	if err != nil {
		accepted := "the path of a file with the secret"
		if !exists(path) {
			accepted += "; a relative path begins in " + PolicyFolder
		}
		ref.name.Fault(accepted, "%s", secretFault(name, path, err))
		return Secret{}, false
	}
	if ReadableByAll(path) {
		ref.name.Warn("every user of this machine can read the file, and there is a secret in it; chmod 600, or 640 with a group of its own")
	}
	return NewSecret([]byte(text)), true
}

// secretFault says why a secret cannot be read. It shows the path only if it is certainly one: the secret itself may have
// been given in its place.
func secretFault(name, path string, err error) string {
	cause, wrapped := err, false
	for next := errors.Unwrap(cause); next != nil; next = errors.Unwrap(cause) {
		cause, wrapped = next, true
	}
	if wrapped && !strings.Contains(name, "/") && !exists(path) {
		return "the file cannot be read: " + cause.Error() + " (its path is not shown, because it may be the secret itself)"
	}
	return strings.ReplaceAll(err.Error(), "; that belongs in the variable without "+fileSuffix, "")
}
