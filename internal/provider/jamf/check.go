package jamf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Check implements posture.Checker: it authenticates, asks for the server's version, and tries
// what the API client may read.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	if err := p.Authenticate(ctx); err != nil {
		return "", nil, p.Explain(err)
	}
	// A fault from here on may concern a type of device that the organization does not have; it is a warning where it can be.
	version := "of unknown version"
	limited, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	server, errVersion := serverVersionOf(limited, p.Client)
	switch {
	case errVersion == nil:
		version = server.String()
	case ctx.Err() != nil:
		return "", nil, p.Explain(errVersion)
	}
	warnings, answered, err := p.missingPrivileges(ctx)
	if err != nil {
		return "", nil, err
	}
	switch {
	case answered:
	case errors.Is(errVersion, vendorhttp.ErrOther):
		return "", nil, p.Other()
	default:
		return "", warnings, posture.ErrUnanswered
	}
	return fmt.Sprintf("Jamf Pro %s at %s, API %s", version, p.Server(), p.config.API), warnings, nil
}

// missingPrivileges tries what may be read. A missing privilege is an error where the configuration says that it is
// needed, or where all are missing; otherwise it is a warning, because the connector may be asked about one type of
// device only. answered says whether any lookup was answered.
func (p *Provider) missingPrivileges(ctx context.Context) (warnings []string, answered bool, err error) {
	kinds := []struct {
		deviceType posture.DeviceType
		privilege  string
		wanted     bool
	}{
		{posture.Computer, readComputers, p.config.ComputerGroup != "" || bool(p.config.ComputerEnrich)},
		{posture.MobileDevice, readMobileDevices, p.config.DeviceGroup != "" || bool(p.config.DeviceEnrich)},
	}
	var missing []string
	fatal := false
	for _, kind := range kinds {
		err := p.mayRead(ctx, kind.deviceType)
		switch {
		case isForbidden(err):
			missing = append(missing, "the privilege "+kind.privilege)
			fatal = fatal || kind.wanted
			warnings = append(warnings, fmt.Sprintf("the API client lacks the privilege %s: such lookups will not be answered", kind.privilege))
		case err != nil && ctx.Err() != nil:
			return nil, false, p.Explain(err)
		case err == nil:
			answered = true
		default:
			warnings = append(warnings, fmt.Sprintf("a lookup of a %s was not answered: %v; such lookups may fail", kind.deviceType, p.Explain(err)))
		}
	}
	if fatal || len(missing) == len(kinds) {
		return nil, false, fmt.Errorf("the API client lacks %s; add what is missing to its API role in Jamf Pro", strings.Join(missing, " and "))
	}
	if isForbidden(p.api.checkDepartments(ctx)) {
		without := "the department of computers stays empty"
		if p.config.facts {
			without += ", and where a policy reads user.department, lookups of computers will not be answered"
		}
		warnings = append(warnings, "the API client lacks the privilege "+readDepartments+": "+without)
	}
	return warnings, answered, nil
}

// mayRead looks up a serial number that no device has: with the privilege, the answer is that it does not exist.
func (p *Provider) mayRead(ctx context.Context, t posture.DeviceType) error {
	absent, err := posture.ParseIdentifier("00000000")
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	q := posture.Query{Identifier: absent, Facts: p.reading.withoutPolicy}
	if _, err = p.api.lookup(ctx, p.query(q, t)); errors.Is(err, posture.ErrNotFound) {
		return nil
	}
	return err
}

func isForbidden(err error) bool { return vendorhttp.HasStatus(err, "", http.StatusForbidden) }
