package httpjson

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/provider/vendorhttp"
)

// request is a request as a section describes it.
type request struct {
	method  string
	path    []segment
	query   []field
	headers []field
	body    any // templates in lists and maps; nil for none
}

// field is a parameter of a query, or a header.
type field struct {
	name  string
	value template
}

// request reads a request.
func (r *reader) request(v document.Value, c allowed) *request {
	m := v.As(requestShape()).Mapping()
	q := &request{method: http.MethodGet}
	if method, ok := m.Get("method").Text(); ok {
		q.method = method
		r.note(v.Path()+".method", method)
	}
	c.whole = true
	if path, ok := m.Get("path").Text(); ok {
		inPath := c
		inPath.whole, inPath.escape = false, "path" // by segments
		q.path = r.path(m.Get("path"), path, inPath)
	}
	inQuery := c
	inQuery.escape = "query"
	for name, value := range m.Get("query").Names() {
		if text, ok := value.Text(); ok {
			r.note(value.Path(), name)
			q.query = append(q.query, field{name, r.template(value, text, inQuery)})
		}
	}
	c.secrets = true
	q.headers = r.headers(m.Get("headers"), c)
	c.secrets = false
	if body := m.Get("body"); body.IsSet() {
		if q.method == http.MethodGet {
			body.Key().Fault("method: POST", "a GET has no body")
		}
		q.body = r.body(body, c)
	}
	return q
}

// headerName is the name of a header (RFC 9110 section 5.1).
var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$")

// sensitive are words in the name of a header whose value is a secret.
var sensitive = regexp.MustCompile(`(?i)auth|key|token|secret|cookie`)

// headers reads headers. A literal secret does not belong in the file.
func (r *reader) headers(v document.Value, c allowed) (headers []field) {
	for name, value := range v.Names() {
		if value.Removes() {
			continue
		}
		if h, ok := r.header(value, name, c); ok {
			r.once(value, name, headers)
			if r.isOfAuth(name) {
				value.Fault("each header once", "auth sets the header %s too", http.CanonicalHeaderKey(name))
			}
			headers = append(headers, h)
		}
	}
	return headers
}

// once reports a header that is there already: the case of letters does not matter in names of headers, so one of both
// would be lost.
func (r *reader) once(value document.Value, name string, before []field) {
	name = http.CanonicalHeaderKey(name)
	if slices.ContainsFunc(before, func(h field) bool { return http.CanonicalHeaderKey(h.name) == name }) {
		value.Fault("each header once, written as the preset writes it", "duplicate header %s", name)
	}
}

func (r *reader) header(value document.Value, name string, c allowed) (field, bool) {
	const accepted = "the name of a header that the connector does not set itself"
	text, ok := value.Text()
	switch {
	case !ok:
		return field{}, false
	case !headerName.MatchString(name):
		value.Key().Fault(accepted, "it is no name of a header")
		return field{}, false
	case ours(name):
		value.Key().Fault(accepted, "the connector sets this header itself")
		return field{}, false
	}
	before := r.faulty
	r.faulty = false
	t := r.template(value, text, c)
	if sensitive.MatchString(name) && !r.faulty && !t.has(isSecret) {
		value.Fault("a value with {{secret.NAME}}", "a secret does not belong in this file, and the name of the header says that it is one")
	}
	r.faulty = r.faulty || before
	r.note(value.Path(), name)
	return field{name, t}, true
}

// ours reports whether a header is part of how requests are sent.
func ours(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Host", "Content-Length", "Content-Type", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer", "Expect",
		"User-Agent", "X-Request-Id", "Accept-Encoding", "Proxy-Authorization", "Proxy-Connection", "Keep-Alive":
		return true
	}
	return false
}

// body reads the structure of a JSON body.
func (r *reader) body(v document.Value, c allowed) any {
	switch {
	case v.IsMapping():
		object := map[string]any{}
		for name, member := range v.Names() {
			if strings.Contains(name, "{{") {
				member.Key().Fault("a name without placeholders", "a placeholder is in the name of a member")
			}
			r.note(v.Path(), name)
			object[name] = r.body(member, c)
		}
		return object
	case v.IsList():
		items, _ := v.As(document.ListOf(nil)).List()
		list := make([]any, len(items))
		for i, item := range items {
			list[i] = r.body(item, c)
		}
		return list
	}
	value := v.Any()
	if text, isText := value.(string); isText {
		return r.template(v, text, c)
	}
	r.note(v.Path(), fmt.Sprintf("%T %v", value, value))
	return value
}

// nothing is a member of a body that is left out.
type nothing struct{}

func renderBody(ctx context.Context, body any, v values) (any, error) {
	switch body := body.(type) {
	case map[string]any:
		object := map[string]any{}
		for name, member := range body {
			value, err := renderBody(ctx, member, v)
			if err != nil {
				return nil, err
			}
			if _, omitted := value.(nothing); !omitted {
				object[name] = value
			}
		}
		return object, nil
	case []any:
		list := []any{}
		for _, element := range body {
			value, err := renderBody(ctx, element, v)
			if err != nil {
				return nil, err
			}
			if _, omitted := value.(nothing); !omitted {
				list = append(list, value)
			}
		}
		return list, nil
	case template:
		text, err := body.render(ctx, v)
		if text == "" && body.canBeOmitted() {
			return nothing{}, err
		}
		return text, err
	case fmt.Stringer: // json.Number, as the file has it
		return rawNumber(body.String()), nil
	}
	return body, nil
}

// rawNumber is a number of the file.
type rawNumber string

// MarshalJSON implements json.Marshaler.
func (n rawNumber) MarshalJSON() ([]byte, error) { return []byte(n), nil }

// canBeOmitted reports whether an empty value is left out: the first page has no cursor.
func (t template) canBeOmitted() bool { return t.omitEmpty || t.has(isCursor) }

// render makes the request. common are headers of every request of the inventory.
func (q *request) render(ctx context.Context, endpoint string, common []field, v values, most int) (vendorhttp.Request, error) {
	out := vendorhttp.Request{Endpoint: endpoint, Method: q.method, Query: url.Values{}, Header: http.Header{}, MaxAnswer: most}
	var err error
	if out.Path, err = renderPath(ctx, q.path, v); err != nil {
		return out, err
	}
	for _, f := range q.query {
		text, err := f.value.render(ctx, v)
		if err != nil {
			return out, err
		}
		if text != "" || !f.value.canBeOmitted() {
			out.Query.Set(f.name, text)
		}
	}
	for _, f := range append(common[:len(common):len(common)], q.headers...) {
		text, err := f.value.render(ctx, v)
		switch {
		case err != nil:
			return out, err
		case strings.ContainsFunc(text, func(c rune) bool { return c < ' ' || c > '~' }):
			return out, fmt.Errorf("headers.%s: the value has a character that no header may have", f.name)
		case text != "" || !f.value.canBeOmitted():
			out.Header.Set(f.name, text)
		}
	}
	if q.body != nil {
		body, err := renderBody(ctx, q.body, v)
		if err != nil {
			return out, err
		}
		if out.Body, err = json.Marshal(body, json.Deterministic(true)); err != nil {
			return out, fmt.Errorf("%s: the body cannot be made", endpoint)
		}
		out.Header.Set("Content-Type", "application/json")
	}
	return out, nil
}
