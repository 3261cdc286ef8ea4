package httpjson

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"step-posture-connector/internal/document"
	"step-posture-connector/internal/posture"
)

// segment is what stands between two slashes of a path.
type segment []part

// literal is what a path may have that is not a value (RFC 3986 section 3.3); what would have to be escaped is for vars.
var literal = regexp.MustCompile(`^[A-Za-z0-9._~!$&'()*+,;=:@-]*$`)

// path reads a path template.
func (r *reader) path(v document.Value, text string, c allowed) (segments []segment) {
	const accepted = "a path such as /api/devices/{{serial}}, without . and .. and characters that would be escaped"
	if !strings.HasPrefix(text, "/") {
		v.Fault(accepted, "it does not begin with /")
		return nil
	}
	t := r.template(v, text, c)
	if t.omitEmpty {
		v.Fault(accepted, "no part of a path can be left out")
	}
	current := segment{}
	for _, p := range t.parts {
		if p.kind != isLiteral {
			current = append(current, p)
			continue
		}
		for i, piece := range strings.Split(p.text, "/") {
			if i > 0 {
				segments, current = append(segments, current), segment{}
			}
			if piece != "" {
				current = append(current, part{text: piece})
			}
		}
	}
	segments = append(segments, current)[1:]
	for i, s := range segments {
		whole, dynamic := "", false
		for _, p := range s {
			if p.kind == isLiteral || p.kind == isVar {
				whole += p.text
			} else {
				dynamic = true
			}
			if len(s) > 1 && r.mustBeWhole(p.kind) {
				v.Fault("a placeholder between two slashes", "a value that may have any character stands inside of a part of the path")
			}
		}
		if !dynamic && (whole == "" && (len(s) > 0 || i < len(segments)-1) || whole == "." || whole == "..") {
			v.Fault(accepted, "a part of the path is empty, . or ..")
		}
	}
	for _, raw := range regexp.MustCompile(`\{\{.*?\}\}|/`).Split(text, -1) {
		if !literal.MatchString(raw) {
			v.Fault(accepted, "it has a character that a path does not have as it is")
			break
		}
	}
	return segments
}

// errPath is the error of a value that would change which path is asked.
var errPath = errors.New("a part of the path would be empty, or one of . and .. alone")

// renderPath returns the escaped path. A value is one part of it, whatever characters it has.
func renderPath(ctx context.Context, segments []segment, v values) (string, error) {
	var path strings.Builder
	for i, s := range segments {
		text, err := template{parts: s}.render(ctx, v)
		if err != nil {
			return "", err
		}
		// Fail closed: servers and proxies resolve these, and would answer about something else.
		if text == "." || text == ".." || text == "" && (len(s) > 0 || i < len(segments)-1) {
			if isOfIdentifier(s) {
				return "", fmt.Errorf("%w: %w", posture.ErrIdentifier, errPath)
			}
			return "", errPath
		}
		path.WriteString("/" + url.PathEscape(text))
	}
	return path.String(), nil
}

func isOfIdentifier(s segment) bool { return template{parts: s}.has(isIdentifier) }
