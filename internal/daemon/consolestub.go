package daemon

import (
	"context"
	"errors"

	"step-posture-connector/internal/console"
	"step-posture-connector/internal/posture"
)

// noLive knows nothing of the daemon.
type noLive struct{}

func (s *service) consoleLive() console.Live { return noLive{} }

// Inventories implements console.Live.
func (noLive) Inventories() []console.Inventory { return nil }

// Policies implements console.Live.
func (noLive) Policies() []console.Policy { return nil }

// Decide implements console.Live.
func (noLive) Decide(context.Context, string, string, posture.DeviceType) (console.Decided, error) {
	return console.Decided{}, errors.New("nothing can be decided")
}
