package apple

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// tokenEndpoint is how vendorhttp names it in faults.
const tokenEndpoint = "token endpoint"

// Check implements posture.Checker: it gets a token, asks how many devices there are, and for one that does not exist.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	if err := p.Authenticate(ctx); err != nil {
		return "", nil, p.explain(err)
	}
	// A page with one device shows what a 404 does not: that this is the API, and that the account may read devices.
	first, err := p.page(ctx, "", 1)
	if err != nil {
		return "", nil, p.explain(err)
	}
	absent, err := posture.ParseIdentifier("00000000")
	if err != nil {
		return "", nil, fmt.Errorf("check: %w", err)
	}
	if _, _, err := p.find(ctx, posture.Query{Identifier: absent}); !errors.Is(err, posture.ErrNotFound) {
		if err == nil {
			err = p.Other()
		}
		return "", nil, p.explain(err)
	}
	devices := "devices"
	if first.total >= 0 {
		devices = fmt.Sprintf("%d devices", first.total)
	}
	return fmt.Sprintf("%s at %s, %s", p.product.name, p.Server(), devices), nil, nil
}

// explain words the errors of a check.
func (p *Provider) explain(err error) error {
	if fault := (*vendorhttp.Fault)(nil); errors.As(err, &fault) && fault.Endpoint == tokenEndpoint && fault.Status != 0 {
		return err // hint has named the variable
	}
	return p.Explain(namesToken(err))
}

// namesToken names the right variable where it is the token endpoint that does not answer as Apple's does.
func namesToken(err error) error {
	if fault := (*vendorhttp.Fault)(nil); errors.Is(err, vendorhttp.ErrOther) && errors.As(err, &fault) && fault.Endpoint == tokenEndpoint {
		return errors.New("the token endpoint's answer holds no token: APPLE_BUSINESS_TOKEN_URL does not answer as Apple's token endpoint does")
	}
	return err
}

// hint says what a status means at Apple.
func hint(endpoint string, status int) string {
	if endpoint == tokenEndpoint {
		return tokenHint(status)
	}
	switch status {
	case http.StatusUnauthorized:
		return "a new token was refused; check that the API account still exists"
	case http.StatusForbidden:
		return "the API account may not read devices; give it a role that may"
	case http.StatusNotFound:
		return "that is not how Apple says that it has no such device; check APPLE_BUSINESS_BASE_URL"
	case http.StatusNotAcceptable:
		return "Apple answers only requests with Accept: application/json; look for a proxy that changes requests"
	}
	return ""
}

func tokenHint(status int) string {
	switch {
	case status == http.StatusBadRequest:
		return "Apple refused the request for a token; check APPLE_BUSINESS_CLIENT_ID"
	case status == http.StatusNotFound:
		return "the server has no token endpoint there; check APPLE_BUSINESS_TOKEN_URL"
	case status == http.StatusTooManyRequests:
		return "too many requests for tokens; something else may use the API account too"
	case status >= 300 && status < 400:
		return "the server redirects, and redirects are not followed; check APPLE_BUSINESS_TOKEN_URL"
	}
	return ""
}
