package httpjson

import (
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
)

func (r *reader) readMap() {
	m := &r.config.mapping
	m.identifier, m.now = -1, time.Now
	names, values := r.merged(keyMap)
	if len(names) == 0 {
		r.own.Missing(keyMap, "expressions by the names of facts")
		return
	}
	identity := slices.IndexFunc(identifiers(), func(name string) bool { return slices.Contains(names, name) })
	for _, name := range names {
		scope := r.scopes.facts
		if identity >= 0 && name == identifiers()[identity] && !r.config.outcome.status {
			scope = r.scopes.identity
		}
		if f, ok := r.fact(values[name], name, scope); ok {
			m.facts = append(m.facts, f)
		} else {
			m.faulty = true
		}
	}
	if r.config.outcome.status {
		return
	}
	for _, name := range identifiers() {
		if m.identifier = slices.IndexFunc(m.facts, func(f mapped) bool { return f.name == name }); m.identifier >= 0 {
			break
		}
	}
	at := r.get(keyMap)
	switch {
	case m.identifier < 0 && !slices.ContainsFunc(names, func(name string) bool { return slices.Contains(identifiers(), name) }):
		at.Fault(strings.Join(identifiers(), " or "), "no identifier of a record is mapped")
	case m.identifier >= 0 && !m.facts[m.identifier].value.Reads(expression.Item):
		values[m.facts[m.identifier].name].Fault("an expression that reads item", "the identifier of a record is not read from the record")
	case m.identifier >= 0 && len(m.facts[m.identifier].steps) > 0:
		values[m.facts[m.identifier].name].Fault("an expression of the record itself", "the identifier of a record is read from the answer of a step")
	}
	if r.config.outcome.newest {
		i := slices.IndexFunc(m.facts, func(f mapped) bool { return f.name == "device.last_seen" })
		if i < 0 || len(m.facts[i].steps) > 0 {
			r.get("select").Fault("device.last_seen in map, of the record itself", "pick is newest, and when a record was seen is not mapped")
		}
	}
}

// fact reads one member of map.
func (r *reader) fact(v document.Value, name string, scope *expression.Scope) (mapped, bool) {
	f := mapped{name: name}
	all := posture.Vocabulary()
	var known []string
	for _, d := range all {
		if d.Type == posture.AttributesFact && strings.HasPrefix(name, "attributes.") && name != "attributes." || d.Type != posture.AttributesFact && d.Name == name {
			f.fact = d
		}
		if d.Type != posture.AttributesFact {
			known = append(known, d.Name)
		}
	}
	if f.fact == nil {
		v.Key().Unknown("fact", name, known, strings.Join(append(known, "attributes.NAME"), ", "))
		return f, false
	}
	if r.config.outcome.status && f.fact.Name != "device.managed" {
		v.Key().Fault("device.managed", "with answer: status the service says nothing about the device but that it knows it")
		return f, false
	}
	f.value = r.expression(v, scope, kindOf(f.fact.Type))
	if f.value == nil {
		return f, false
	}
	for _, s := range r.bySteps {
		if f.value.Reads(s) {
			f.steps = append(f.steps, s)
		}
	}
	return f, true
}

func kindOf(t posture.FactType) expression.Kind {
	switch t {
	case posture.TextFact, posture.VersionFact:
		return expression.TextKind
	case posture.BoolFact:
		return expression.BoolKind
	case posture.TimeFact:
		return expression.TimeKind
	case posture.ListFact:
		return expression.ListKind
	case posture.AttributesFact:
	}
	return expression.AnyKind
}

func (r *reader) readList() {
	snapshot := r.own.Member("snapshot")
	names, values := r.merged(keyList)
	switch {
	case r.config.outcome.status:
		if snapshot.IsSet() {
			snapshot.Key().Fault("no snapshot with answer: status", "the service names no device, and so cannot be listed")
		}
		return
	case len(names) == 0:
		if snapshot.IsSet() {
			snapshot.Key().Fault("list beside it", "the inventory does not say how its devices are listed")
		}
		return
	}
	l := &listing{}
	for _, name := range names {
		v := values[name]
		switch name {
		case "request":
			l.request = r.request(v, allowed{cursor: true})
			l.cursor = l.request.has(isCursor)
		case "items":
			l.items = r.expression(v, r.scopes.list, expression.ListKind)
		case "next":
			l.next = r.expression(v, r.scopes.list, expression.AddressKind)
		case "total":
			l.total = r.expression(v, r.scopes.list, expression.NumberKind)
		default:
			r.unknownMember(v, name, listShape())
		}
	}
	at := r.get(keyList)
	for _, key := range []string{"request", "items"} {
		if _, has := values[key]; !has {
			at.Missing(key, "a request and the list of records in its answer")
		}
	}
	if l.cursor && l.next == nil {
		at.Fault("next beside it", "the request has {{cursor}}, and nothing says what it is")
	}
	if n := r.config.limits.atOnce; n > 0 && n < leastForLists {
		r.get("limits").Fault("concurrency from 2", "the pages of a list would keep every lookup waiting")
	}
	if l.request != nil && l.items != nil {
		r.config.list = l
	}
}
