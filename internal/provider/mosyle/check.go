package mosyle

import (
	"context"
	"errors"
	"fmt"

	"step-posture-connector/internal/posture"
)

// Check implements posture.Checker: it logs in, and searches for a serial number that no device has, under each operating
// system.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	if err := p.Authenticate(ctx); err != nil {
		return "", nil, p.Explain(err)
	}
	absent, err := posture.ParseIdentifier("00000000")
	if err != nil {
		return "", nil, fmt.Errorf("check: %w", err)
	}
	systems := systemsOf(posture.AnyDevice)
	var faults []error
	for _, s := range systems {
		_, err := p.search(ctx, s, absent)
		switch {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, posture.ErrCredentials):
			return "", nil, p.Explain(err)
		default:
			faults = append(faults, err)
			warnings = append(warnings, fmt.Sprintf("a search for devices with %s was not answered: %v; such lookups, and those of any device, will fail", s, p.Explain(err)))
		}
	}
	if len(faults) == len(systems) {
		// They have one cause.
		return "", nil, p.Explain(faults[0])
	}
	return fmt.Sprintf("%s at %s (experimental)", p.product.title, p.Server()), warnings, nil
}
