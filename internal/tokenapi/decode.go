package tokenapi

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/enroll"
)

// order is the body that asks for a token. Null is as good as missing.
type order struct {
	Policy     *string `json:"policy"`
	Identifier *string `json:"identifier"`
	UDID       *string `json:"udid"`
	Lifetime   *string `json:"lifetime"`
}

// accepted is what a body may be.
const accepted = "accepted is a JSON object with policy, identifier, udid and lifetime, each a text and at most once"

// decode reads a body strictly: a member that is misspelled would otherwise make a token for less than the client means.
func decode(body []byte) (*order, *problem) {
	var o order
	if err := json.Unmarshal(body, &o, json.RejectUnknownMembers(true)); err != nil {
		return nil, malformed("%s; %s", explain(err), accepted)
	}
	for _, member := range []struct {
		name  string
		value *string
	}{{"policy", o.Policy}, {"identifier", o.Identifier}, {"udid", o.UDID}, {"lifetime", o.Lifetime}} {
		if member.value != nil && *member.value == "" {
			return nil, malformed("%s is empty; write a text, or leave it out", member.name)
		}
	}
	return &o, nil
}

// explain says what is wrong with a body. Of the body it repeats no more than the name of a member.
func explain(err error) string {
	var (
		syntactic *jsontext.SyntacticError
		semantic  *json.SemanticError
	)
	switch {
	case errors.As(err, &semantic) && errors.Is(err, json.ErrUnknownName):
		return "the member " + shown(semantic.JSONPointer.LastToken()) + " is unknown"
	case errors.As(err, &syntactic) && errors.Is(err, jsontext.ErrDuplicateName):
		return "the member " + shown(syntactic.JSONPointer.LastToken()) + " occurs more than once"
	case errors.As(err, &semantic) && semantic.JSONPointer == "":
		return "the body is not an object"
	case errors.As(err, &semantic):
		return "the member " + shown(semantic.JSONPointer.LastToken()) + " is not a text"
	case errors.As(err, &syntactic):
		return "the body is not JSON at byte " + strconv.FormatInt(syntactic.ByteOffset+1, 10)
	default:
		return "the body is not JSON"
	}
}

// ParseLifetime reads a duration as policy files have them, such as 7d or 1h30m, or as Go has them. Its errors go on after the
// name of what it is the value of.
func ParseLifetime(text string) (time.Duration, error) {
	day := 24 * time.Hour
	wrong := errors.New(`is no duration; accepted is a text with a unit, such as "90s", "5m", "2h" or "7d"`)
	if strings.ContainsAny(text, "+-") {
		return 0, wrong
	}
	total := time.Duration(0)
	days, rest, hasDays := strings.Cut(text, "d")
	if hasDays {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return 0, wrong
		}
		// 16 bits of days do not overflow. A day beyond the most is as good as any longer time.
		total = min(time.Duration(n)*day, enroll.MaxLifetime+day)
	}
	if !hasDays || rest != "" {
		if !hasDays {
			rest = text
		}
		d, err := time.ParseDuration(rest)
		if err != nil {
			return 0, wrong
		}
		total += min(d, enroll.MaxLifetime+day)
	}
	if total < enroll.MinLifetime { // zero would mean the lifetime of the policy
		return 0, fmt.Errorf("is shorter than %s", enroll.MinLifetime)
	}
	return total, nil
}

// readIdentifier reads the query of a list: identifier, once, or nothing. Empty means all.
func readIdentifier(query string) (string, *problem) {
	if query == "" {
		return "", nil
	}
	values, err := url.ParseQuery(query)
	switch {
	case err != nil:
		return "", malformed("the query cannot be read; accepted is ?identifier= with the identifier of a device, escaped")
	case len(values) != 1 || values["identifier"] == nil:
		return "", malformed("the query has another parameter than identifier; accepted is ?identifier= with the identifier of a device")
	case len(values["identifier"]) > 1:
		return "", malformed("the query has the parameter identifier more than once; accepted is one")
	case values["identifier"][0] == "":
		return "", malformed("the parameter identifier is empty; accepted is the identifier of a device, or no query for all tokens")
	}
	return values["identifier"][0], nil
}
