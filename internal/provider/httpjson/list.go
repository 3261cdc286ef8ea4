package httpjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

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

// ListGives implements posture.Lister. A list gives no facts of then steps: they would be one request a device.
func (p *Provider) ListGives() posture.FactSet { return p.config.mapping.gives(false) }

// List implements posture.Lister.
func (p *Provider) List(ctx context.Context, list posture.List, each func(posture.Listing) error) (posture.Listed, error) {
	l := p.config.list
	if l == nil {
		return posture.Listed{}, errors.New("the inventory does not say how its devices are listed")
	}
	listed := posture.Listed{Facts: (list.Facts | always() | posture.MustFacts("device.identifier")) & p.ListGives(), Total: -1}
	f := fetch{Provider: p, seen: map[string]bool{}}
	page, err := l.request.render(ctx, "list.request", p.config.headers, values{secrets: p.config.secrets}, p.config.limits.body)
	if err != nil {
		return posture.Listed{}, fmt.Errorf("list.request: %w", err)
	}
	devices := 0
	for range maxPages {
		variables, err := f.page(ctx, page)
		if err != nil {
			return posture.Listed{}, err
		}
		items, err := listOf(ctx, l.items, variables)
		if err != nil {
			return posture.Listed{}, fmt.Errorf("list.items: %w", err)
		}
		if devices += len(items); devices > maxListed {
			return posture.Listed{}, fmt.Errorf("list: there are more than %d devices", maxListed)
		}
		variables[expression.Seen] = int64(devices)
		for _, item := range items {
			if err := each(p.listing(ctx, with(variables, expression.Item, item), listed.Facts)); err != nil {
				return posture.Listed{}, err
			}
		}
		if l.total != nil {
			if listed.Total, err = total(ctx, l.total, variables); err != nil {
				return posture.Listed{}, err
			}
		}
		next, more, err := f.next(ctx, page, variables)
		if err != nil {
			return posture.Listed{}, fmt.Errorf("list.next: %w", err)
		}
		if !more {
			return listed, nil
		}
		page = next
	}
	return posture.Listed{}, fmt.Errorf("list: there are more than %d pages", maxPages)
}

// listing is one record of a list, by the same mapping as a lookup.
func (p *Provider) listing(ctx context.Context, variables map[string]any, facts posture.FactSet) posture.Listing {
	identifier, err := p.config.mapping.identify(ctx, variables)
	if err != nil {
		return posture.Listing{Damaged: true}
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

	seen  map[string]bool // pages
	bytes int
}

// page asks for one page, and again where that may help. It is a loop of its own until vendorhttp has one for pages.
func (f *fetch) page(ctx context.Context, r vendorhttp.Request) (map[string]any, error) {
	ctx, cancel := context.WithTimeout(ctx, pageTimeout)
	defer cancel()
	for try := 1; ; try++ {
		variables, err := f.pageOnce(ctx, r)
		if err == nil || try == pageTries || ctx.Err() != nil || errors.Is(err, posture.ErrCredentials) {
			return variables, err
		}
		timer := time.NewTimer(pagePause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

func (f *fetch) pageOnce(ctx context.Context, r vendorhttp.Request) (map[string]any, error) {
	answer, err := f.Exchange(ctx, r)
	if err != nil {
		return nil, err
	}
	if f.bytes += len(answer.Body); f.bytes > maxFetched {
		return nil, fmt.Errorf("list: the pages have more than %d bytes", maxFetched)
	}
	if answer.Status != http.StatusOK {
		return nil, fmt.Errorf("list.request answered %d", answer.Status)
	}
	body, err := decoded(answer)
	if err != nil {
		return nil, fmt.Errorf("list.request answered %d: %w", answer.Status, err)
	}
	return map[string]any{
		expression.Body: body, expression.Status: int64(answer.Status), expression.JSON: true, expression.Text: string(answer.Body),
		expression.Asked: "", expression.Vars: f.config.vars, expression.Seen: int64(0),
	}, nil
}

// The errors of next pages.
var (
	errNoAddress = errors.New("it is neither a URL of the inventory's host, a path, nor null")
	errSeen      = errors.New("it is a page that was fetched before")
)

// next returns the request for the next page, and whether there is one. Credentials go along, so no other host is asked.
func (f *fetch) next(ctx context.Context, page vendorhttp.Request, variables map[string]any) (vendorhttp.Request, bool, error) {
	l := f.config.list
	if l.next == nil {
		return page, false, nil
	}
	value, known, err := l.next.Evaluate(ctx, variables)
	text, isText := value.(string)
	switch {
	case err != nil:
		return page, false, err
	case !known, isText && text == "" && l.cursor:
		return page, false, nil
	case !isText:
		return page, false, errNoAddress
	}
	if l.cursor {
		if f.seen[text] {
			return page, false, errSeen
		}
		f.seen[text] = true
		next, err := l.request.render(ctx, "list.request", f.config.headers, values{secrets: f.config.secrets, cursor: text}, f.config.limits.body)
		return next, true, err
	}
	path, query, err := f.address(text)
	if err != nil {
		return page, false, err
	}
	key := path + "?" + query.Encode()
	if f.seen[key] || key == page.Path+"?"+page.Query.Encode() {
		return page, false, errSeen
	}
	f.seen[key], f.seen[page.Path+"?"+page.Query.Encode()] = true, true
	page.Path, page.Query = path, query
	return page, true, nil
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
