package httpjson

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson/expression"
	"step-posture-connector/internal/provider/vendorhttp"
)

// Provider asks a service that answers JSON. Nothing is cached.
type Provider struct {
	*vendorhttp.Client
	config Config
}

// Open makes the provider, as New does. The strings are warnings for the operator.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	var warnings []string
	if c.outcome.status {
		warnings = append(warnings, "answer is status: the service names no device, so its answers are not verified")
	}
	return p, warnings, nil
}

// New makes the provider. It does not contact the service; Check does.
func New(c Config) (*Provider, error) {
	if c.base == nil || c.request == nil {
		return nil, errors.New("the inventory is configured in a policy file only")
	}
	auth, certificate, err := c.authenticate()
	if err != nil {
		return nil, err
	}
	if c.caFile != "" {
		pem, err := readFile(c.caFile)
		if err != nil {
			return nil, fmt.Errorf("ca_file: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("ca_file: %s has no certificate in PEM", c.caFile)
		}
	}
	p := &Provider{config: c}
	p.Client = vendorhttp.New(vendorhttp.Options{
		Vendor: vendorhttp.Vendor{Name: "the service", Server: "the service of the inventory", Variable: keyBase},
		Base:   c.base, Auth: auth, Certificate: certificate, RootCAs: c.RootCAs,
		Timeout: c.limits.timeout, AtOnce: c.limits.atOnce, Rate: c.limits.rate, Burst: c.limits.burst, RateSetting: "the rate limit of the inventory (limits.rate)", Hint: hint,
	})
	return p, nil
}

// hint says what a status means where the reason is most often another one than at a vendor's server.
func hint(_ string, status int) string {
	if status == http.StatusForbidden {
		return "the service forbids that; check which rights the credentials have"
	}
	return ""
}

// Lookup implements posture.Provider. Concurrent lookups of the same device are one, where they read the same facts.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	// Only what identifiers accepts is ever put into a request.
	if !p.config.identifiers.MatchString(q.Identifier.String()) {
		return posture.Device{}, fmt.Errorf("%w: identifiers of the inventory does not accept it", posture.ErrIdentifier)
	}
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		return p.find(ctx, q)
	})
}

// find asks for the device, and for what else its facts need.
func (p *Provider) find(ctx context.Context, q posture.Query) (posture.Device, error) {
	c := &p.config
	v := values{identifier: q.Identifier.String(), secrets: c.secrets}
	answer, err := p.send(ctx, "request", c.request, v)
	if err != nil {
		return posture.Device{}, err
	}
	judged, variables := c.judge(ctx, answer, q.Identifier)
	if judged.err != nil {
		return posture.Device{}, judged.explained(answer)
	}
	if !c.outcome.status {
		variables = with(variables, expression.Item, judged.item)
	}
	// 13. Further requests, where a fact of theirs is read: then they must succeed. What is only recorded asks for nothing.
	if variables, err = p.follow(ctx, c.mapping.needs(q.Facts&^q.Recorded), v, variables); err != nil {
		return posture.Device{}, err
	}
	// 14. The facts.
	d, err := c.mapping.device(ctx, variables, judged.identifier, q.Facts, q.Recorded)
	if err != nil {
		return posture.Device{}, stepFacts.fault("%w", err).explained(answer)
	}
	return d, nil
}

// explained is the error of a verdict, which names the step that decided.
func (v verdict) explained(a vendorhttp.Answer) error {
	return fmt.Errorf("request answered %d: %w; %s decided", a.Status, v.err, v.step)
}

// send makes and sends one request.
func (p *Provider) send(ctx context.Context, endpoint string, q *request, v values) (vendorhttp.Answer, error) {
	out, err := q.render(ctx, endpoint, p.config.headers, v, p.config.limits.body)
	if err != nil {
		return vendorhttp.Answer{}, fmt.Errorf("%s: %w", endpoint, err)
	}
	return p.Exchange(ctx, out)
}

// follow asks the named steps, one after the other, and returns the variables with their answers.
func (p *Provider) follow(ctx context.Context, names []string, v values, variables map[string]any) (map[string]any, error) {
	for _, s := range p.config.steps {
		if !slices.Contains(names, s.name) {
			continue
		}
		v.item = variables
		endpoint := keyThen + "." + s.name
		answer, err := p.send(ctx, endpoint, s.request, v)
		if err != nil {
			return nil, err
		}
		// Any other status is a fault, 404 too: the device exists, so its groups do.
		if answer.Status != http.StatusOK {
			return nil, fmt.Errorf("%s answered %d: %s decided", endpoint, answer.Status, stepThen)
		}
		body, err := s.read(ctx, answer, variables)
		if err != nil {
			return nil, fmt.Errorf("%s answered %d: %w; %s decided", endpoint, answer.Status, err, stepThen)
		}
		variables = with(variables, s.name, body)
	}
	return variables, nil
}

// read returns the answer of a step, which must be JSON and whole.
func (s thenStep) read(ctx context.Context, a vendorhttp.Answer, variables map[string]any) (any, error) {
	body, err := decoded(a)
	if err != nil {
		return nil, err
	}
	of := with(variables, expression.Body, body)
	of[expression.Status], of[expression.JSON], of[expression.Text] = int64(a.Status), true, string(a.Body)
	if s.flaw != nil {
		if is, err := s.flaw.Test(ctx, of); err != nil || is {
			return nil, errors.Join(errors.New("fault says that the answer is a fault"), err)
		}
	}
	switch more, err := s.more.Test(ctx, of); {
	case err != nil:
		return nil, fmt.Errorf("more: %w", err)
	case more:
		return nil, errors.New("the service has more than the answer (more)")
	}
	return body, nil
}

// absent is an identifier that no device has.
func (p *Provider) absent() (posture.Identifier, bool) {
	for _, text := range []string{"000000000000", "nobody@example.invalid", "00000000-0000-0000-0000-000000000000"} {
		if id, err := posture.ParseIdentifier(text); err == nil && p.config.identifiers.MatchString(text) {
			return id, true
		}
	}
	return posture.Identifier{}, false
}

// Check implements posture.Checker: it authenticates, and looks a device up that cannot exist.
func (p *Provider) Check(ctx context.Context) (found string, warnings []string, err error) {
	if err := p.Authenticate(ctx); err != nil {
		return "", nil, p.Explain(err)
	}
	found = "a service at " + p.Server()
	id, has := p.absent()
	if !has {
		return found, []string{"no lookup was tried, because identifiers accepts no identifier that certainly no device has"}, nil
	}
	_, err = p.find(ctx, posture.Query{Identifier: id})
	unreachable := (*vendorhttp.Unreachable)(nil)
	switch {
	case err == nil, errors.Is(err, posture.ErrNotFound), errors.Is(err, posture.ErrAmbiguous):
		return found, nil, nil
	case errors.Is(err, posture.ErrCredentials), errors.As(err, &unreachable), ctx.Err() != nil:
		return "", nil, p.Explain(err)
	}
	// The service answers, and not as the section says. The cause may pass, so this does not stop the start.
	return "", []string{"a lookup of a device that does not exist was not answered: " + strings.TrimSpace(p.Explain(err).Error())}, posture.ErrUnanswered
}
