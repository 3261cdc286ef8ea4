package iru

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

const (
	// absentSerial is what the check asks for.
	absentSerial = "000000000000"
	// absentID is a record that no tenant has.
	absentID = "00000000-0000-0000-0000-000000000000"
)

// hint says what a status means at Iru. A 404 is never an answer about a device: the gateway gives one for every path that it
// does not know.
func hint(endpoint string, status int) string {
	switch {
	case status == http.StatusForbidden && endpoint == devicesEndpoint:
		return "the token lacks the permission Device list; add it to the token in Iru"
	case status == http.StatusForbidden && endpoint == detailsEndpoint:
		return "the token lacks the permission Device details; add it to the token in Iru"
	case status == http.StatusNotFound && endpoint == devicesEndpoint:
		return "no tenant of Iru has its API there; check IRU_BASE_URL, subdomain and region"
	case status == http.StatusNotFound && endpoint == detailsEndpoint:
		return "Iru no longer has the record that the search found"
	case status == http.StatusTooManyRequests:
		return "the tenant has used up its requests of this hour, which all tokens share"
	}
	return ""
}

// Check implements posture.Checker: it searches for a serial number that no device has.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	if _, err := p.search(ctx, absentSerial); err != nil {
		return "", nil, p.elsewhere(p.Explain(err))
	}
	if p.config.facts {
		// That there is no such record is what a token with the permission gets.
		if _, err := p.Get(ctx, detailsEndpoint, devicesPath+"/"+absentID+"/details", nil); vendorhttp.HasStatus(err, detailsEndpoint, http.StatusForbidden) {
			warnings = append(warnings, "the token lacks the permission Device details: where a policy reads device.udid, device.supervised or device.encrypted, lookups fail")
		}
	}
	return "Iru at " + p.Server(), warnings, nil
}

// elsewhere names the other host of the tenant, where the one that was asked may be the wrong one.
func (p *Provider) elsewhere(err error) error {
	other := otherHost(p.host)
	unreachable := (*vendorhttp.Unreachable)(nil)
	failed := (*vendorhttp.Fault)(nil)
	isFault := errors.As(err, &failed)
	wrongHost := errors.As(err, &unreachable) || isFault && failed.Status == http.StatusNotFound || !isFault && !errors.Is(err, context.DeadlineExceeded)
	if other == "" || !wrongHost || errors.Is(err, posture.ErrCredentials) {
		return err
	}
	return fmt.Errorf("%w; Iru has APIs at two hosts: try https://%s", err, other)
}

// otherHost is the host of the same tenant under the vendor's other name. New tenants have only one under iru.com.
func otherHost(host string) string {
	if !isAPI(host) {
		return ""
	}
	if sub, old := strings.CutSuffix(host, ".kandji.io"); old {
		return sub + ".iru.com"
	}
	return strings.TrimSuffix(host, ".iru.com") + ".kandji.io"
}
