package httpjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Lists implements posture.Lister: one list of all devices, where the section says how they are listed.
func (p *Provider) Lists() []posture.DeviceType {
	if p.config.list == nil {
		return nil
	}
	return []posture.DeviceType{""}
}

// ListLacks says what has to be configured for lists.
func (p *Provider) ListLacks() string {
	if p.config.outcome.status {
		return "with answer: status the service names no device"
	}
	return "the section has no list: {request, items, …}"
}

// ListGives implements posture.Lister. A list gives no facts of then steps: they would be one request a device. Of what the
// mapping does not have, lists and lookups give the same: nothing.
func (p *Provider) ListGives() posture.FactSet {
	return (posture.AllFacts() | posture.Document) &^ p.config.mapping.ofSteps()
}

// List implements posture.Lister.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	l := p.config.list
	if l == nil {
		return posture.Listed{}, errors.New("the inventory does not say how its devices are listed")
	}
	if list.Type != "" {
		return posture.Listed{}, errors.New("the inventory has one list of all devices")
	}
	listed := posture.Listed{Facts: list.Facts & p.ListGives(), Total: -1}
	page, err := l.request.render(ctx, listEndpoint, p.config.headers, values{secrets: p.config.secrets}, 0)
	if err != nil {
		return posture.Listed{}, fmt.Errorf("%s: %w", listEndpoint, err)
	}
	f := fetch{Provider: p, page: page, seen: map[string]bool{}}
	devices := 0
	take := func(variables map[string]any) (vendorhttp.Page, error) {
		items, err := listOf(ctx, l.items, variables)
		if err != nil {
			return vendorhttp.Page{}, fmt.Errorf("list.items: %w", err)
		}
		devices += len(items)
		variables[expression.Seen] = int64(devices)
		for _, item := range items {
			if err := each(p.listing(ctx, with(variables, expression.Item, item), listed.Facts)); err != nil {
				return vendorhttp.Page{}, err
			}
			if ctx.Err() != nil {
				return vendorhttp.Page{}, context.Cause(ctx)
			}
		}
		if l.total != nil {
			if listed.Total, err = total(ctx, l.total, variables); err != nil {
				return vendorhttp.Page{}, err
			}
		}
		more, err := f.next(ctx, variables)
		if err != nil {
			return vendorhttp.Page{}, fmt.Errorf("list.next: %w", err)
		}
		return vendorhttp.Page{Devices: len(items), Last: !more}, nil // fetch compares the pages itself
	}
	// The size of a page is part of the request as the section has it, so that none is asked for with a smaller one.
	if err := vendorhttp.Pages(ctx, p.Client, vendorhttp.List{Endpoint: listEndpoint, Size: 1}, f.get, take); err != nil {
		return posture.Listed{}, err
	}
	return listed, nil
}

// listEndpoint is how errors name the request for a page.
const listEndpoint = "list.request"

// listing is one record of a list, by the same mapping as a lookup.
func (p *Provider) listing(ctx context.Context, variables map[string]any, facts posture.FactSet) posture.Listing {
	identifier, err := p.config.mapping.identify(ctx, variables)
	if _, invalid := posture.ParseIdentifier(identifier); err != nil || invalid != nil || !p.config.identifiers.MatchString(identifier) {
		return posture.Listing{Damaged: true} // no lookup asks for it, or the service may compare in another way
	}
	d, err := p.config.mapping.device(ctx, variables, identifier, facts, 0)
	if err != nil {
		return posture.Listing{Device: posture.Device{Identifier: identifier}, Damaged: true}
	}
	return posture.Listing{Device: d}
}

func total(ctx context.Context, e *expression.Expression, variables map[string]any) (int, error) {
	value, known, err := e.Evaluate(ctx, variables)
	n, isWhole := value.(int64)
	switch {
	case err != nil:
		return 0, fmt.Errorf("list.total: %w", err)
	case !known:
		return -1, nil
	case !isWhole || n < 0 || n > maxListed:
		return 0, errors.New("list.total: it is no number of devices")
	}
	return int(n), nil
}

// fetch is the state of one listing.
type fetch struct {
	*Provider

	page vendorhttp.Request // the next one
	seen map[string]bool    // pages
}

// get asks for the next page, and returns the variables of expressions about it.
func (f *fetch) get(ctx context.Context, _ int) (map[string]any, error) {
	answer, err := f.Exchange(ctx, f.page)
	if err != nil {
		return nil, err
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("%s answered %d", listEndpoint, answer.Status)
	}
	body, err := decoded(answer)
	if err != nil {
		return nil, fmt.Errorf("%s answered %d: %w", listEndpoint, answer.Status, err)
	}
	return map[string]any{
		expression.Body: body, expression.Status: int64(answer.Status), expression.JSON: true, expression.Text: string(answer.Body),
		expression.Vars: f.config.vars, expression.Seen: int64(0),
	}, nil
}

// The errors of next pages.
var (
	errNoAddress = errors.New("it is neither a URL of the inventory's host, a path, nor null")
	errSeen      = errors.New("it is a page that was fetched before")
)

// next makes the request for the next page, and reports whether there is one. Credentials go along, so no other host is
// asked.
func (f *fetch) next(ctx context.Context, variables map[string]any) (bool, error) {
	l := f.config.list
	if l.next == nil {
		return false, nil
	}
	value, known, err := l.next.Evaluate(ctx, variables)
	text, isText := value.(string)
	switch {
	case err != nil:
		return false, err
	case !known, isText && text == "" && l.cursor:
		return false, nil
	case !isText:
		return false, errNoAddress
	}
	if l.cursor {
		if f.seen[text] {
			return false, errSeen
		}
		f.seen[text] = true
		f.page, err = l.request.render(ctx, listEndpoint, f.config.headers, values{secrets: f.config.secrets, cursor: text}, 0)
		return true, err
	}
	path, query, err := f.address(text)
	if err != nil {
		return false, err
	}
	f.seen[f.page.Path+"?"+f.page.Query.Encode()] = true
	if f.seen[path+"?"+query.Encode()] {
		return false, errSeen
	}
	f.page.Path, f.page.Query = path, query
	return true, nil
}

// address reads where the next page is.
func (f *fetch) address(text string) (path string, query url.Values, err error) {
	base := f.config.base
	u, err := url.Parse(text)
	switch {
	case err != nil, u.User != nil, u.Fragment != "", u.Opaque != "", strings.HasPrefix(text, "//"):
		return "", nil, errNoAddress
	case u.Host == "" && u.Scheme == "" && strings.HasPrefix(text, "/"):
	case u.Scheme != base.Scheme, !strings.EqualFold(u.Host, base.Host):
		return "", nil, errNoAddress
	}
	path, under := strings.CutPrefix(u.EscapedPath(), base.EscapedPath())
	if !under || !strings.HasPrefix(path, "/") {
		return "", nil, errNoAddress
	}
	for part := range strings.SplitSeq(u.Path, "/") {
		if part == "." || part == ".." {
			return "", nil, errNoAddress
		}
	}
	query, err = url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", nil, errNoAddress
	}
	return path, query, nil
}
