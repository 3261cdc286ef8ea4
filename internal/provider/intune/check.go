package intune

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// absentID is the ID of no device and no user.
const absentID = "00000000-0000-4000-8000-000000000000"

// Check implements posture.Checker: it logs in, and tries what the application may read.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	if err := p.Authenticate(ctx); err != nil {
		return "", nil, p.explainLogin(err)
	}
	absent, err := posture.ParseIdentifier("00000000")
	if err != nil {
		return "", nil, fmt.Errorf("check: %w", err)
	}
	records, err := p.search(ctx, absent)
	if err == nil {
		_, _, err = vendorhttp.Newest(p.Client, posture.Query{Identifier: absent}, vendorhttp.Exact, records, p.device)
	}
	if err != nil && !errors.Is(err, posture.ErrNotFound) && !errors.Is(err, posture.ErrAmbiguous) {
		return "", nil, p.Explain(err)
	}
	if warnings, err = p.missingPermissions(ctx); err != nil {
		return "", nil, p.Explain(err)
	}
	found = fmt.Sprintf("Microsoft Intune of the tenant %s at %s", p.config.TenantID, p.Server())
	if p.cert != nil {
		found += ", with a certificate until " + p.cert.of.NotAfter.UTC().Format("2006-01-02")
	}
	return found, warnings, nil
}

// explainLogin says what is wrong where no token was issued.
func (p *Provider) explainLogin(err error) error {
	if vendorhttp.HasStatus(err, tokenEndpoint, http.StatusNotFound) {
		return p.notEntra()
	}
	return p.Explain(p.namesLogin(err))
}

// namesLogin names the right setting where it is the token endpoint that does not answer as Microsoft's does.
func (p *Provider) namesLogin(err error) error {
	if vendorhttp.HasStatus(err, tokenEndpoint, 0) && errors.Is(err, vendorhttp.ErrOther) {
		return p.notEntra()
	}
	return err
}

func (p *Provider) notEntra() error {
	return fmt.Errorf("%s does not answer as the sign-in host of Microsoft Entra does", p.login)
}

// missingPermissions tries the requests for groups and for users, where they may be needed. A permission that the settings
// need is an error; one that only some policy may need is a warning.
func (p *Provider) missingPermissions(ctx context.Context) (warnings []string, err error) {
	id := vendorjson.Text{Any: absentID, Kind: '"'}
	needed := p.reader.Required
	if p.reader.Enriches {
		needed |= vendorhttp.DocumentFacts()
	}
	for _, try := range []struct {
		facts    posture.FactSet
		endpoint string
		what     string
		ask      func() error
	}{
		{p.groupFacts, groupsEndpoint, "device.groups", func() error { _, err := p.groups(ctx, &record{AzureADDeviceID: id}); return err }},
		{p.userFacts, userEndpoint, "user.position or user.department", func() error { _, err := p.user(ctx, &record{UserID: id}); return err }},
	} {
		must := needed&try.facts != 0
		if !must && !p.config.facts {
			continue
		}
		err := try.ask()
		switch forbidden := vendorhttp.HasStatus(err, try.endpoint, http.StatusForbidden); {
		case forbidden && must:
			return nil, err
		case forbidden:
			warnings = append(warnings, fmt.Sprintf(
				"the application lacks the permission %s with admin consent: where a policy reads %s, lookups will not be answered",
				permissionOf(try.endpoint), try.what,
			))
		case err != nil && ctx.Err() != nil:
			return nil, err
		}
	}
	return warnings, nil
}
