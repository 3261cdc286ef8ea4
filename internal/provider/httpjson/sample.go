package httpjson

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Sample is an answer that was recorded, in place of the service: a mapping can be tried without network.
type Sample struct {
	Status int
	Body   []byte
	// Decided gets the step of the outcome rule that decided a lookup; it may be nil.
	Decided func(step string)
}

// offline answers from a sample.
type offline struct {
	config Config
	sample Sample
}

// Offline returns a provider that judges the sample as if the service had answered it, as JSON.
func (c Config) Offline(s Sample) posture.Provider { return &offline{c, s} }

// Lookup implements posture.Provider.
func (o *offline) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	decided := func(s step) {
		if o.sample.Decided != nil {
			o.sample.Decided(s.String())
		}
	}
	if !o.config.identifiers.MatchString(q.Identifier.String()) {
		return posture.Device{}, fmt.Errorf("%w: identifiers of the inventory does not accept it", posture.ErrIdentifier)
	}
	a := vendorhttp.Answer{Status: o.sample.Status, Header: http.Header{"Content-Type": {"application/json"}}, Body: o.sample.Body}
	judged, variables := o.config.judge(ctx, a, q.Identifier)
	decided(judged.step)
	if judged.err != nil {
		return posture.Device{}, judged.explained(a)
	}
	if !o.config.outcome.status {
		variables = with(variables, expression.Item, judged.item)
	}
	if len(o.config.mapping.needs(q.Facts&^q.Recorded)) > 0 {
		decided(stepThen)
		return posture.Device{}, stepThen.fault("%w", errOffline).explained(a)
	}
	d, err := o.config.mapping.device(ctx, variables, judged.identifier, q.Facts, q.Recorded)
	if err != nil {
		decided(stepFacts)
		return posture.Device{}, stepFacts.fault("%w", err).explained(a)
	}
	return d, nil
}

var errOffline = errors.New("a fact that is read needs the answer of a then step, which a sample does not have")

// InMemory says that a lookup does not wait.
func (*offline) InMemory() {}
