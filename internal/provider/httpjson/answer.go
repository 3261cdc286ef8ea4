package httpjson

import (
	"context"
	"errors"
	"mime"
	"slices"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
	"step-posture-connector/internal/provider/vendorhttp"
)

// variables are those of expressions about an answer. The error says why it is not JSON.
func (c *Config) variables(a vendorhttp.Answer, id posture.Identifier) (map[string]any, error) {
	body, err := decoded(a)
	return map[string]any{
		expression.Body: body, expression.Status: int64(a.Status), expression.JSON: err == nil, expression.Text: string(a.Body),
		expression.Asked: id.String(), expression.Vars: c.vars,
	}, err
}

// decoded is the JSON of an answer that says so itself.
func decoded(a vendorhttp.Answer) (any, error) {
	if isEncoded(a) {
		return nil, errEncoded
	}
	// Of two content types, others may read the other one.
	if types := a.Header.Values("Content-Type"); len(types) != 1 || !isJSON(types[0]) {
		return nil, errors.New("its content type is not JSON in UTF-8")
	}
	return expression.Decode(a.Body)
}

// isJSON reads a content type (RFC 9110 section 8.3, RFC 6838 section 4.2.8).
func isJSON(contentType string) bool {
	kind, parameters, err := mime.ParseMediaType(contentType)
	if charset := strings.ToLower(parameters["charset"]); err != nil || charset != "" && charset != "utf-8" && charset != "us-ascii" {
		return false
	}
	return kind == "application/json" || kind == "text/json" || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

var errNoList = errors.New("the result is no list")

func listOf(ctx context.Context, e *expression.Expression, variables map[string]any) ([]any, error) {
	value, _, err := e.Evaluate(ctx, variables)
	if err != nil {
		return nil, err
	}
	list, isList := value.([]any)
	if !isList {
		return nil, errNoList
	}
	return list, nil
}

var errEncoded = errors.New("it is compressed in a way that was not asked for")

// isEncoded reports whether the body is not what its bytes are (RFC 9110 section 8.4): the client takes the compression off
// that it asks for, and the header with it.
func isEncoded(a vendorhttp.Answer) bool {
	return slices.ContainsFunc(a.Header.Values("Content-Encoding"), func(of string) bool { return !strings.EqualFold(of, "identity") })
}
