package jamf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"step-posture-connector/internal/posture"
)

// The privileges of an API role, by their names in Jamf Pro.
const (
	readComputers     = "Read Computers"
	readMobileDevices = "Read Mobile Devices"
	readDepartments   = "Read Departments"
)

var errNotJamf = errors.New("JAMF_BASE_URL does not answer as a Jamf Pro server does")

// Check implements posture.Checker: it authenticates, asks for the server's version, and finds out
// what the API client may read.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	if err := p.client.authenticate(ctx); err != nil {
		return "", nil, p.explain(err)
	}
	// A fault from here on may concern the one kind of device that nobody has; it is a warning where it can be.
	version := "of unknown version"
	limited, cancel := context.WithTimeout(ctx, versionTimeout)
	defer cancel()
	server, errVersion := p.client.serverVersion(limited)
	switch {
	case errVersion == nil:
		version = server.String()
	case ctx.Err() != nil:
		return "", nil, p.explain(errVersion)
	}
	warnings, answered, err := p.missingPrivileges(ctx)
	if err != nil {
		return "", nil, err
	}
	switch {
	case answered:
	case errors.Is(errVersion, errNotJamf):
		return "", nil, errNotJamf
	default:
		return "", warnings, posture.ErrUnanswered
	}
	return fmt.Sprintf("Jamf Pro %s at %s, API %s", version, p.client.base, p.config.API), warnings, nil
}

// missingPrivileges finds out what may be read. A privilege is missed where the configuration says
// that it is needed, or where there is no other; else its absence is a warning, because a server
// may be asked about one kind of device only. answered says whether any lookup was.
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
			return nil, false, p.explain(err)
		case err == nil:
			answered = true
		default:
			warnings = append(warnings, fmt.Sprintf("a lookup of a %s was not answered: %v; such lookups may fail", kind.deviceType, p.explain(err)))
		}
	}
	if fatal || len(missing) == len(kinds) {
		return nil, false, fmt.Errorf("the API client lacks %s; add what is missing to its API role in Jamf Pro", strings.Join(missing, " and "))
	}
	if isForbidden(p.api.checkDepartments(ctx)) {
		warnings = append(warnings, "the API client lacks the privilege "+readDepartments+": the department of computers stays empty")
	}
	return warnings, answered, nil
}

// mayRead looks up a serial number that no device has: whoever may read is told that there is none.
func (p *Provider) mayRead(ctx context.Context, t posture.DeviceType) error {
	nobody, err := posture.ParseIdentifier("00000000")
	if err != nil {
		return fmt.Errorf("check: %w", err)
	}
	if _, err = p.api.lookup(ctx, t, nobody); errors.Is(err, posture.ErrNotFound) {
		return nil
	}
	return err
}

func isForbidden(err error) bool {
	refused := (*fault)(nil)
	return errors.As(err, &refused) && refused.status == http.StatusForbidden
}

// explain drops which endpoint was asked where that is of no importance: when there was no answer at all.
func (p *Provider) explain(err error) error {
	failed := (*fault)(nil)
	silent := (*unreachable)(nil)
	switch {
	case errors.As(err, &failed) && failed.endpoint == tokenEndpoint && failed.status == http.StatusNotFound:
		return fmt.Errorf("%w: it has no token endpoint", errNotJamf)
	case errors.Is(err, errNotJamf):
		return err
	case errors.As(err, &silent):
		return silent
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s did not answer in time", p.client.base.Host)
	default:
		return err
	}
}
