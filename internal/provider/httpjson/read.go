package httpjson

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/provider/httpjson/expression"
)

const acceptedBase = "https://… of the service"

// reader reads a section, over a preset where it has one.
type reader struct {
	config  *Config
	section config.Section
	own     document.Mapping // the section
	preset  document.Mapping // nothing without one
	scopes  scopes

	vars                  map[string]string
	varNames, secretNames []string
	kind                  string // of identifiers
	bySteps               []string
	faulty                bool // a placeholder has a fault, so that what is missing may be because of it

	// What the section says, for the fingerprints. Secrets and limits are apart: they change no record.
	says, apart strings.Builder
}

// scopes are what expressions may read.
type scopes struct{ answer, records, list, item, facts, identity *expression.Scope }

// ReadSection implements the provider table's interface of a section that only a policy file can have.
func (c *Config) ReadSection(s config.Section) config.Identity {
	*c = Config{vars: map[string]string{}, secrets: map[string]config.Secret{}, RootCAs: c.RootCAs}
	r := &reader{config: c, section: s, own: s.Value.Mapping(), vars: c.vars}
	preset := r.readPreset()
	r.read()
	r.presetFaults(preset)
	return config.Identity{
		Settings: sha256.Sum256([]byte(r.says.String() + "\x00" + r.apart.String())),
		Account:  sha256.Sum256([]byte(r.says.String())),
	}
}

// note adds what the section says somewhere to the fingerprints.
func (r *reader) note(path, text string) {
	path = strings.TrimPrefix(path, r.section.Value.Path()+".")
	_, _ = fmt.Fprintf(&r.says, "%s=%d:%s\n", path, len(text), text)
}

func (r *reader) noteApart(path, text string) {
	_, _ = fmt.Fprintf(&r.apart, "%s=%d:%s\n", path, len(text), text)
}

// get is a key of the section, or else of its preset.
func (r *reader) get(key string) document.Value {
	if v := r.own.Get(key); v.IsSet() {
		return v
	}
	return r.preset.Get(key)
}

// merged are the members of a key of the section over those of its preset, in their order. Null removes a member.
func (r *reader) merged(key string) (names []string, values map[string]document.Value) {
	values = map[string]document.Value{}
	add := func(name string, v document.Value) {
		if _, has := values[name]; !has {
			names = append(names, name)
		}
		values[name] = v
	}
	for name, v := range r.preset.Get(key).Names() {
		add(name, v)
	}
	for name, v := range r.own.Get(key).Names() {
		if !v.Removes() {
			add(name, v)
			continue
		}
		if _, has := values[name]; !has {
			v.Fault("the name of a member of the preset", "there is nothing to remove")
		}
		delete(values, name)
		names = slices.DeleteFunc(names, func(other string) bool { return other == name })
	}
	return names, values
}

// read reads everything, in the order in which one thing needs another.
func (r *reader) read() {
	c := r.config
	var err error
	if r.scopes, err = newScopes(r.stepNames()); err != nil {
		r.own.Fault("other names of steps", "%v", err)
		return
	}
	r.readVars()
	r.readSecrets()
	r.readIdentifiers()
	r.readBase()
	if path := r.get("ca_file"); path.IsSet() {
		text, _ := path.Text()
		r.note("ca_file", text)
		c.caFile = r.file(text)
	}
	names, values := r.merged("headers")
	for _, name := range names {
		if h, ok := r.header(values[name], name, allowed{secrets: true}); ok {
			r.once(values[name], name, c.headers)
			c.headers = append(c.headers, h)
		}
	}
	r.readLimits()
	r.auth(r.get("auth"))
	r.readRequest()
	r.readOutcome()
	r.readSteps()
	r.readMap()
	r.readList()
	c.unmanaged, _ = r.get("allow_unmanaged").Bool()
	r.noteApart("allow_unmanaged", fmt.Sprint(c.unmanaged))
}

// newScopes makes what expressions may read; steps are the names of then steps.
func newScopes(steps []string) (s scopes, err error) {
	all := append(variableNames(), expression.Seen)
	whole, err := expression.NewScope(append(all, steps...)...)
	if err != nil {
		return s, fmt.Errorf("names of steps: %w", err)
	}
	s.facts = whole.Without(expression.Seen)
	// What was asked for would be compared with itself.
	s.identity = s.facts.Without(expression.Asked)
	s.item = s.facts.Without(steps...)
	s.answer = s.item.Without(expression.Item)
	s.records = s.answer.Without(expression.Asked)
	s.list = whole.Without(append(steps, expression.Item, expression.Asked)...)
	return s, nil
}

// variableNames are the variables of every expression about a record.
func variableNames() []string {
	return []string{expression.Body, expression.Status, expression.JSON, expression.Text, expression.Asked, expression.Vars, expression.Item}
}

// expression compiles an expression. Every fault points into its text.
func (r *reader) expression(v document.Value, in *expression.Scope, kind expression.Kind) *expression.Expression {
	text, ok := v.Text()
	if !ok {
		return nil
	}
	r.note(v.Path(), text)
	e, faults := in.Compile(text, kind)
	for _, f := range faults {
		v.FaultIn(f.Line, f.Column, f.Accepted, "%s", f.Text)
	}
	return e
}

func (r *reader) readVars() {
	var values map[string]document.Value
	r.varNames, values = r.merged("vars")
	for _, name := range r.varNames {
		r.checkName(values[name], name)
		text, ok := values[name].Text()
		if ok && strings.Contains(text, "{{") {
			values[name].Fault("text without placeholders", "a variable has a placeholder")
		}
		r.note("vars."+name, text)
		r.vars[name] = text
	}
}

func (r *reader) readSecrets() {
	var values map[string]document.Value
	r.secretNames, values = r.merged("secrets")
	for _, name := range r.secretNames {
		r.checkName(values[name], name)
		secret, _ := r.section.Secrets.Read(values[name])
		r.noteApart("secrets."+name, string(secret.Reveal()))
		r.config.secrets[name] = secret
	}
}

func (r *reader) checkName(v document.Value, name string) {
	v.Check(name, &document.Shape{Type: document.Text, Pattern: patternName, Accepted: "a name of small letters, digits and _, at most 32"})
}

// serial reports whether identifiers are serial numbers, which have no character that means anything elsewhere.
func (r *reader) serial() bool { return r.kind == identifiersSerial }

func (r *reader) readIdentifiers() {
	r.kind = identifiersSerial
	v := r.get("identifiers")
	if text, ok := v.Text(); ok {
		r.kind = text
	}
	r.note("identifiers", r.kind)
	pattern := r.kind
	switch r.kind {
	case identifiersSerial:
		pattern = patternSerial
	case identifiersEmail:
		pattern = patternEmail
	}
	const accepted = "serial, email or a regular expression that begins with ^ and ends with $"
	_, err := regexp.Compile(pattern)
	// The whole identifier, also where the pattern has alternatives. A pattern with an open \Q takes the end of it in, and
	// one of many brackets has one too many in it: then it cannot be compiled.
	compiled, wrapped := regexp.Compile(`\A(?:` + pattern + `)\z`)
	switch {
	case err != nil || wrapped != nil || !strings.HasPrefix(pattern, "^") || !strings.HasSuffix(pattern, "$") || strings.HasSuffix(pattern, `\$`):
		if near := document.Nearest(pattern, []string{identifiersSerial, identifiersEmail}); near != "" {
			v.Fault(accepted, "unknown word; did you mean %s?", near)
		} else {
			v.Fault(accepted, "it is no such regular expression")
		}
		compiled = regexp.MustCompile(patternSerial)
	}
	r.config.identifiers = compiled
}

// file is a path that begins in the folder of the policy file.
func (r *reader) file(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(r.section.Secrets.Folder, path)
}
