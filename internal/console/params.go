package console

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"step-posture-connector/internal/journal"
)

// malformed is what a page says about a parameter that it does not accept.
func malformed(name, accepted string) error {
	return &problem{status: http.StatusBadRequest, text: fmt.Sprintf("The parameter %s is not accepted. Accepted: %s.", name, accepted)}
}

// parse reads the parameters of the query, or of the form. Those that no page knows are ignored.
func (q *request) parse() error {
	if len(q.URL.RawQuery) > maxQuery {
		return malformed("of this address", fmt.Sprintf("at most %d bytes of parameters", maxQuery))
	}
	values, err := url.ParseQuery(q.URL.RawQuery)
	if err != nil {
		return malformed("of this address", "NAME=VALUE, joined by &, with percent-encoding")
	}
	q.values = values
	if q.Method != http.MethodPost {
		return nil
	}
	if q.Body != nil {
		q.Body = http.MaxBytesReader(nil, q.Body, maxForm)
	}
	if err := q.ParseForm(); err != nil {
		return malformed("of this form", fmt.Sprintf("at most %d bytes of a form", maxForm))
	}
	q.values = q.PostForm // and not the query: a link could fill in a form
	return nil
}

// text is a parameter; empty where it is missing. It may be given once, and have so many bytes.
func (q *request) text(name string, limit int) (string, error) {
	given := q.values[name]
	if len(given) == 0 {
		return "", nil
	}
	if text := strings.TrimSpace(given[0]); len(given) == 1 && len(text) <= limit {
		return text, nil
	}
	return "", malformed(name, fmt.Sprintf("one text of at most %d bytes", limit))
}

// choice is a parameter that is one of these; the first where it is missing or empty.
func (q *request) choice(name string, accepted ...string) (string, error) {
	text, err := q.text(name, maxSearch)
	switch {
	case err != nil:
		return "", err
	case text == "":
		return accepted[0], nil
	case !slices.Contains(accepted, text):
		return "", malformed(name, strings.Join(slices.DeleteFunc(slices.Clone(accepted), func(word string) bool { return word == "" }), ", "))
	}
	return text, nil
}

// before is the parameter that says where the next page of a list begins; zero on the first one.
func (q *request) before() (id journal.ID, err error) {
	text, err := q.text("before", maxSearch)
	if err != nil || text == "" {
		return id, err
	}
	if id, err = journal.ParseID(text); err != nil {
		return id, malformed("before", "the ID of a decision, 32 hexadecimal digits")
	}
	return id, nil
}

// with is the address of the same page with another value of a parameter; an empty one leaves it out.
func (q *request) with(name, value string) string {
	values := url.Values{}
	for other, given := range q.values {
		values.Set(other, given[0])
	}
	values.Set(name, value)
	return address(q.URL.EscapedPath(), values)
}

// address is a path with those parameters that are not empty.
func address(path string, values url.Values) string {
	for name := range values {
		if values.Get(name) == "" {
			values.Del(name)
		}
	}
	return path + cmp.Or(map[bool]string{true: "?"}[len(values) > 0], "") + values.Encode()
}

// deviceAddress is that of the page of a device. Browsers remove the segments . and .. also where they are escaped.
func deviceAddress(key string) string {
	if key == "" || strings.Trim(key, ".") == "" {
		return address("/search", url.Values{"q": {key}})
	}
	return "/devices/" + url.PathEscape(key)
}

func decisionAddress(id journal.ID) string { return "/decisions/" + id.String() }

// ruleAddress is that of the page of a rule. A policy without a name is that of a connector without a policy file.
func ruleAddress(policy, rule string) string {
	return "/rules/" + url.PathEscape(cmp.Or(policy, noPolicy)) + "/" + url.PathEscape(rule)
}

// noPolicy stands for the policy without a name in a path.
const noPolicy = "-"
