package jamf

import (
	"context"
	"time"

	"step-posture-connector/internal/posture"
)

// Age makes what is known about privileges older.
func (p *Provider) Age(by time.Duration) {
	before := p.now
	p.now = func() time.Time { return before().Add(by) }
}

// Break makes lookups of one type of device panic.
func (p *Provider) Break(t posture.DeviceType) { p.api = &broken{p.api, t} }

type broken struct {
	api
	of posture.DeviceType
}

func (b *broken) lookup(ctx context.Context, ask question) (record, error) {
	if ask.of == b.of {
		panic("a fault of the connector")
	}
	return b.api.lookup(ctx, ask)
}
