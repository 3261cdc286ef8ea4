package httpjson

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
)

func (r *reader) readLimits() {
	l := &r.config.limits
	*l = limits{timeout: mostTimeout, body: standardBody}
	names, values := r.merged("limits")
	for _, name := range names {
		v := values[name]
		switch name {
		case "timeout":
			if text, ok := v.Text(); ok {
				l.timeout, _ = time.ParseDuration(text) // the shape has its form
				if l.timeout < leastTimeout || l.timeout > mostTimeout {
					v.Fault("a duration from 100ms to 9s", "it is out of bounds")
				}
			}
		case "body":
			if text, ok := v.Text(); ok {
				number, isMiB := strings.CutSuffix(text, "MiB")
				n, _ := strconv.Atoi(strings.TrimSuffix(number, "KiB"))
				if l.body = n << 10; isMiB {
					l.body = n << 20
				}
				if l.body == 0 || l.body > mostBody {
					v.Fault("a size from 1KiB to 16MiB", "it is out of bounds")
				}
			}
		case "concurrency":
			n, _ := v.Whole()
			l.atOnce = int(n)
		case "burst":
			n, _ := v.Whole()
			l.burst = int(n)
		case "rate":
			if text, ok := v.Text(); ok {
				number, isMinute := strings.CutSuffix(text, "/m")
				n, _ := strconv.Atoi(strings.TrimSuffix(number, "/s"))
				if n == 0 || n > mostRate {
					v.Fault(fmt.Sprintf("from 1 to %d", mostRate), "it is out of bounds")
				}
				if l.rate = float64(n); isMinute {
					l.rate /= 60
				}
			}
		default:
			r.stranger(v, name, limitsShape())
		}
	}
	r.noteApart("limits", fmt.Sprint(*l))
}

// stranger reports a member of a merged mapping that its shape does not have.
func (r *reader) stranger(v document.Value, name string, s *document.Shape) {
	names := make([]string, len(s.Keys))
	for i, k := range s.Keys {
		names[i] = k.Name
	}
	v.Key().Unknown("key", name, names, strings.Join(names, ", "))
}

func (r *reader) readRequest() {
	v := r.get("request")
	if !v.IsSet() {
		r.own.Missing("request", "a request with a path")
		return
	}
	r.faulty = false
	r.config.request = r.request(v, allowed{identifier: true})
	if v.Has("path") && !r.faulty && !r.config.request.has(isIdentifier) {
		v.Fault("{{identifier}}, or {{serial}} with identifiers: serial, in path, query, headers or body", "the request does not say which device is asked for")
	}
}

// has reports whether any template of the request has a placeholder of a kind.
func (q *request) has(kind placeholder) bool {
	for _, s := range q.path {
		if (template{parts: s}).has(kind) {
			return true
		}
	}
	for _, f := range append(slices.Clone(q.query), q.headers...) {
		if f.value.has(kind) {
			return true
		}
	}
	return bodyHas(q.body, kind)
}

func bodyHas(body any, kind placeholder) bool {
	switch body := body.(type) {
	case template:
		return body.has(kind)
	case []any:
		return slices.ContainsFunc(body, func(element any) bool { return bodyHas(element, kind) })
	case map[string]any:
		for _, member := range body {
			if bodyHas(member, kind) {
				return true
			}
		}
	}
	return false
}

func (r *reader) readOutcome() {
	o := &r.config.outcome
	o.found = []int{http.StatusOK}
	if answer, ok := r.get("answer").Text(); ok {
		o.status = answer == answerStatus
		r.note("answer", answer)
	}
	if o.status {
		// There is no record, and what the answer says besides status and text decides nothing.
		r.scopes.answer = r.scopes.answer.Without(expression.Body)
		r.scopes.facts = r.scopes.answer
	}
	if search, ok := r.get("search").Text(); ok {
		o.exact = search == searchExact
		r.note("search", search)
	}
	v := r.get("outcome")
	m := v.As(outcomeShape()).Mapping()
	if flaw := m.Get("fault"); flaw.IsSet() {
		o.flaw = r.expression(flaw, r.scopes.answer, expression.BoolKind)
	}
	if missing := m.Get("not_found"); missing.IsSet() {
		o.missing = r.expression(missing, r.scopes.answer, expression.BoolKind)
	}
	if empty := m.Get("empty_body"); empty.IsSet() {
		word, ok := empty.Mapping().Get("204").Text()
		o.emptyIsMissing = ok
		r.note("outcome.empty_body", word)
	}
	if o.status {
		r.readStatus(v, m)
		return
	}
	r.readFound(m.Get("found"))
	sel := r.get("select")
	if !sel.IsSet() {
		r.own.Missing("select", "items and more")
		return
	}
	s := sel.As(selectShape()).Mapping()
	o.items = r.expression(s.Get("items"), r.scopes.records, expression.ListKind)
	o.more = r.expression(s.Get("more"), r.scopes.answer, expression.BoolKind)
	if pick, ok := s.Get("pick").Text(); ok {
		o.newest = pick == pickNewest
		r.note("select.pick", pick)
	}
}

func (r *reader) readFound(v document.Value) {
	if !v.IsSet() {
		return
	}
	if !v.IsList() {
		v.Fault("a list of statuses such as [200]", "it is no list; an expression is for answer: status")
		return
	}
	items, _ := v.List()
	r.config.outcome.found = nil
	for _, item := range items {
		status, ok := item.Whole()
		if ok && (status == http.StatusNoContent || status == http.StatusPartialContent) {
			item.Fault("a status of an answer that is whole", "an answer with this status has no records, or a part of them")
		}
		r.note("outcome.found", fmt.Sprint(status))
		r.config.outcome.found = append(r.config.outcome.found, int(status))
	}
}

// readStatus reads the outcome of a service that names no device.
func (r *reader) readStatus(v document.Value, m document.Mapping) {
	const accepted = `status == 404 && text == "Not Found\n", with the status and the whole body`
	o := &r.config.outcome
	if !v.IsSet() {
		r.own.Missing("outcome", "found and not_found, both with the status and the whole body")
		return
	}
	if found := m.Get("found"); !found.IsSet() {
		v.Missing("found", accepted)
	} else if found.IsList() {
		found.Fault(accepted, "with answer: status the body decides too")
	} else {
		o.foundIf = r.expression(found, r.scopes.answer, expression.BoolKind)
	}
	if !m.Get("not_found").IsSet() {
		v.Missing("not_found", accepted)
	}
	if o.foundIf == nil || o.missing == nil {
		return
	}
	both := map[string]bool{}
	for key, e := range map[string]*expression.Expression{"found": o.foundIf, "not_found": o.missing} {
		words, numbers := e.Equalities()
		body, hasBody := words[expression.Text]
		status, hasStatus := numbers[expression.Status]
		if !hasBody || !hasStatus {
			m.Get(key).Fault(accepted, "it does not compare both the status and the whole body")
		}
		both[fmt.Sprintf("%d %s", status, body)] = true
	}
	if len(both) == 1 {
		m.Get("not_found").Fault(accepted, "it is the same answer as found")
	}
	for _, key := range []string{"select", keyThen, keyList, "search"} {
		if of := r.get(key); of.IsSet() {
			of.Key().Fault("no such key with answer: status", "the service names no device")
		}
	}
	if m.Get("empty_body").IsSet() {
		m.Get("empty_body").Key().Fault("no such key with answer: status", "not_found says what an empty body means")
	}
	if r.config.base != nil && r.config.base.Scheme != "https" {
		r.get(keyBase).Fault("https://…", "with answer: status the connection is all that says who answers")
	}
}

func (r *reader) readSteps() {
	v := r.get(keyThen)
	if !v.IsSet() || r.config.outcome.status {
		return
	}
	items, _ := v.List()
	for _, item := range items {
		m := item.Mapping()
		name, ok := m.Get("name").Text()
		reserved := append(variableNames(), expression.Seen)
		switch {
		case ok && slices.Contains(r.bySteps, name):
			m.Get("name").Fault("another name", "another step has this name")
		case ok && expression.IsWord(name):
			m.Get("name").Fault("another name", "it is a word of expressions")
		case ok && slices.Contains(reserved, name):
			m.Get("name").Fault("another name", "expressions have a variable of this name")
		case ok:
			r.bySteps = append(r.bySteps, name)
		}
		r.note(item.Path(), name)
		s := thenStep{name: name, more: r.expression(m.Get("more"), r.scopes.answer, expression.BoolKind)}
		if request := m.Get("request"); request.IsSet() {
			s.request = r.request(request, allowed{identifier: true, item: true})
		}
		if flaw := m.Get("fault"); flaw.IsSet() {
			s.flaw = r.expression(flaw, r.scopes.answer, expression.BoolKind)
		}
		r.config.steps = append(r.config.steps, s)
	}
}

// stepNames are the names of the then steps that can be variables.
func (r *reader) stepNames() (names []string) {
	v := r.get(keyThen)
	if !v.IsList() {
		return nil
	}
	for _, name := range v.Texts("name") {
		if regexp.MustCompile(patternName).MatchString(name) && !expression.IsWord(name) && !slices.Contains(append(variableNames(), expression.Seen), name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

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
			r.stranger(v, name, listShape())
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
