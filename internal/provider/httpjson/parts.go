package httpjson

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/document"
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
			r.unknownMember(v, name, limitsShape())
		}
	}
	r.noteApart("limits", fmt.Sprint(*l))
}

// unknownMember reports a member of a merged mapping that its shape does not have.
func (r *reader) unknownMember(v document.Value, name string, s *document.Shape) {
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
