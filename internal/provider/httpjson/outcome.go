package httpjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"unicode/utf8"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
	"step-posture-connector/internal/provider/vendorhttp"
)

const (
	searchContains = "contains"
	searchExact    = "exact"
	answerRecord   = "record"
	answerStatus   = "status"
	pickNewest     = "newest"
	pickSingle     = "single"
)

// outcome is the part of a section that says what an answer means.
type outcome struct {
	found                  []int
	foundIf, missing, flaw *expression.Expression // with answer: status, and not_found and fault; may be nil
	emptyIsMissing         bool                   // empty_body: {204: not_found}
	exact                  bool                   // search: exact
	status                 bool                   // answer: status
	items, more            *expression.Expression
	newest                 bool // pick: newest
}

// step is a step of the outcome rule, in its order.
type step int

// The steps. The first that applies decides.
const (
	stepStatusOfNothing step = iota + 1 // no answer, 1xx, 3xx, 206
	stepRefused                         // 401, 403, 407
	stepNotNow                          // 408, 425, 429, 5xx
	stepEmpty                           // an empty body
	stepNotJSON                         // a body that is not JSON as it should be
	stepFault                           // fault
	stepMissing                         // not_found
	stepNotFound                        // a status that is not in found
	stepItems                           // select.items
	stepIdentifiers                     // the records' identifiers, compared
	stepNothingKept                     // no record has the identifier
	stepSeveral                         // one or several have it
	stepThen                            // further requests
	stepFacts                           // the facts that are read
)

func (s step) String() string {
	names := [...]string{
		"", "the answer itself", "credentials", "a server that cannot answer now", "an empty body", "JSON", "outcome.fault", "outcome.not_found",
		"outcome.found", "select.items", "the records' identifiers", "no record with the identifier", "the records with the identifier", "then", "map",
	}
	return fmt.Sprintf("step %d (%s)", int(s), names[s])
}

// verdict is what an answer means.
type verdict struct {
	step step
	// err is nil where the device was found; posture.ErrNotFound and posture.ErrAmbiguous are answers too, and any other
	// error is a fault.
	err error
	// item and identifier are the record's; with answer: status there is none.
	item       any
	identifier string
}

func (s step) fault(format string, args ...any) verdict {
	return verdict{step: s, err: fmt.Errorf(format, args...)}
}

// judge says what an answer means for the identifier that was asked for. Fail closed: "not found" needs an answer that is
// whole, of the expected form, and without the device; everything else is a fault.
func (c *Config) judge(ctx context.Context, a vendorhttp.Answer, id posture.Identifier) (verdict, map[string]any) {
	o := &c.outcome
	// 1. What is no answer to the question: a redirect, a part, 304.
	switch {
	case a.Status < 200, a.Status >= 300 && a.Status < 400, a.Status == http.StatusPartialContent:
		return stepStatusOfNothing.fault("the status %d is no answer", a.Status), nil
	// 2. Credentials that are refused.
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden, a.Status == http.StatusProxyAuthRequired:
		return stepRefused.fault("the status %d says that the credentials are refused", a.Status), nil
	// 3. A server that cannot answer now.
	case a.Status == http.StatusRequestTimeout, a.Status == http.StatusTooEarly, a.Status == http.StatusTooManyRequests, a.Status >= 500:
		return stepNotNow.fault("the status %d says that the service cannot answer now", a.Status), nil
	}
	variables, problem := c.variables(a, id)
	if o.status {
		return c.judgeStatus(ctx, a, variables, id), variables
	}
	// 4. An empty body.
	if len(a.Body) == 0 {
		if a.Status == http.StatusNoContent && o.emptyIsMissing {
			return verdict{step: stepEmpty, err: posture.ErrNotFound}, nil
		}
		return stepEmpty.fault("the body of an answer with status %d is empty", a.Status), nil
	}
	// 5. What is not JSON decides nothing, whatever its status is: it may be a page of a proxy.
	if problem != nil {
		return stepNotJSON.fault("the answer with status %d: %w", a.Status, problem), nil
	}
	// 6. An answer that looks right and is a fault.
	if v, decided := o.flawed(ctx, variables); decided {
		return v, variables
	}
	// 7. The service's own words for "no such device".
	if o.missing != nil {
		is, err := o.missing.Test(ctx, variables)
		switch {
		case err != nil:
			return stepMissing.fault("outcome.not_found: %w", err), variables
		case is:
			return verdict{step: stepMissing, err: posture.ErrNotFound}, variables
		}
	}
	// 8. Any other status than that of an answer with records. A plain 404 is a fault: the URL may be wrong.
	if !slices.Contains(o.found, a.Status) {
		return stepNotFound.fault("the status %d is not in outcome.found", a.Status), variables
	}
	return c.judgeItems(ctx, variables, id), variables
}

// flawed is the sixth step.
func (o *outcome) flawed(ctx context.Context, variables map[string]any) (verdict, bool) {
	if o.flaw == nil {
		return verdict{}, false
	}
	is, err := o.flaw.Test(ctx, variables)
	switch {
	case err != nil:
		return stepFault.fault("outcome.fault: %w", err), true
	case is:
		return stepFault.fault("outcome.fault says that the answer is a fault"), true
	}
	return verdict{}, false
}

// judgeItems goes on with an answer that has records.
func (c *Config) judgeItems(ctx context.Context, variables map[string]any, id posture.Identifier) verdict {
	o := &c.outcome
	// 9. The records.
	items, err := listOf(ctx, o.items, variables)
	switch {
	case err != nil:
		return stepItems.fault("select.items: %w", err)
	case len(items) > maxItems:
		return stepItems.fault("select.items: there are more than %d records", maxItems)
	}
	// 10. Each record's own identifier, compared in code: a search may return anything.
	var kept []verdict
	var damaged error
	others := 0
	for _, item := range items {
		identifier, err := c.mapping.identify(ctx, with(variables, expression.Item, item))
		switch {
		case err != nil:
			damaged = err
		case id.Matches(posture.Device{Identifier: identifier}):
			kept = append(kept, verdict{step: stepSeveral, item: item, identifier: identifier})
		default:
			others++
		}
	}
	if o.exact && others > 0 {
		return stepIdentifiers.fault("search is exact, and the answer has %d records of other devices", others)
	}
	// The record whose identifier cannot be read may be a second one of the device, or of another.
	if o.exact && damaged != nil && len(kept) > 0 {
		return stepIdentifiers.fault("search is exact, and beside the record: %w", damaged)
	}
	more, err := o.more.Test(ctx, variables)
	if err != nil {
		err = fmt.Errorf("select.more: %w", err)
	} else if more {
		err = errors.New("the service has more records than the answer (select.more)")
	}
	// 11. No record has the identifier: not found only where the answer is whole and every record could be read.
	if len(kept) == 0 {
		switch {
		case damaged != nil:
			return stepNothingKept.fault("%w", damaged)
		case err != nil:
			return stepNothingKept.fault("%w", err)
		}
		return verdict{step: stepNothingKept, err: posture.ErrNotFound}
	}
	// 12. One, or the newest of several, of an answer that is whole: the rest could have another one.
	switch {
	case err != nil:
		return stepSeveral.fault("%w", err)
	case len(kept) == 1:
		return kept[0]
	case !o.newest:
		return verdict{step: stepSeveral, err: fmt.Errorf("%w: the answer has %d records with it", posture.ErrAmbiguous, len(kept))}
	}
	return c.newest(ctx, variables, kept)
}

// newest is the record that was seen last. A record without a time loses; with a tie nobody knows.
func (c *Config) newest(ctx context.Context, variables map[string]any, kept []verdict) verdict {
	seen := posture.MustFacts("device.last_seen")
	best, tie := -1, true
	var latest posture.Device
	for i, one := range kept {
		d, err := c.mapping.device(ctx, with(variables, expression.Item, one.item), one.identifier, seen, 0)
		if err != nil {
			return stepSeveral.fault("%w", err)
		}
		at, known := d.Facts.LastSeen.Get()
		before, has := latest.Facts.LastSeen.Get()
		switch {
		case !known:
		case !has || at.After(before):
			best, latest, tie = i, d, false
		case at.Equal(before):
			tie = true
		}
	}
	if best < 0 || tie {
		return verdict{step: stepSeveral, err: fmt.Errorf("%w: the answer has %d records with it, and none was seen last", posture.ErrAmbiguous, len(kept))}
	}
	return kept[best]
}

// judgeStatus judges an answer that names no device. Both expressions compare the status and the whole body, so that the
// page of a proxy is neither.
func (c *Config) judgeStatus(ctx context.Context, a vendorhttp.Answer, variables map[string]any, id posture.Identifier) verdict {
	o := &c.outcome
	if isEncoded(a) {
		return stepNotJSON.fault("the answer with status %d: %w", a.Status, errEncoded)
	}
	if !utf8.Valid(a.Body) {
		return stepNotJSON.fault("the body is not UTF-8")
	}
	if v, decided := o.flawed(ctx, variables); decided {
		return v
	}
	missing, err := o.missing.Test(ctx, variables)
	switch {
	case err != nil:
		return stepMissing.fault("outcome.not_found: %w", err)
	case missing:
		return verdict{step: stepMissing, err: posture.ErrNotFound}
	}
	found, err := o.foundIf.Test(ctx, variables)
	switch {
	case err != nil:
		return stepNotFound.fault("outcome.found: %w", err)
	case !found:
		return stepNotFound.fault("an answer with status %d is neither outcome.found nor outcome.not_found", a.Status)
	}
	return verdict{step: stepNotFound, identifier: id.String()}
}
