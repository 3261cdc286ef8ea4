package addigy

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Check implements posture.Checker: it looks up a serial number that no device has. With a good token, the permission, and a
// filter that Addigy heeds, the answer is that it does not exist.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	absent, err := posture.ParseIdentifier("00000000")
	if err != nil {
		return "", nil, fmt.Errorf("check: %w", err)
	}
	records, err := p.search(ctx, absent)
	if err == nil {
		_, _, err = vendorhttp.Newest(p.Client, posture.Query{Identifier: absent}, vendorhttp.Exact, records, p.device)
	}
	switch {
	case err == nil, errors.Is(err, posture.ErrNotFound):
		return "Addigy at " + p.Server(), nil, nil
	case vendorhttp.HasStatus(err, devices, http.StatusNotFound):
		return "", nil, p.Other()
	case len(records) > 0:
		return "", nil, errFilter
	}
	return "", nil, p.Explain(err)
}
