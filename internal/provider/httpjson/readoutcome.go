package httpjson

import (
	"fmt"
	"net/http"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/provider/httpjson/expression"
)

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
