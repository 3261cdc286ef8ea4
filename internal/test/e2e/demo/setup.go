package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/fakejamf"
	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/people"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/toolchain"
)

// setup is what the steps need: a CA, a gate in front of it, and a manufacturer whose
// attestations the CA trusts.
type setup struct {
	dir      string
	programs toolchain.Toolchain
	ca       *stepca.CA
	jamf     *fakejamf.Server // nil without a Jamf Pro server
	gate     *gate.Gate
	guard    *people.Guard // takes the place of the gate where people ask
	people   company
	shown    shown // where devices show their certificates
	maker    *device.Manufacturer
	client   *http.Client // trusts the CA
	// pending is an order that got no decision.
	pending *device.Order
}

// start starts the CA, and then what the demonstration adds.
func (s *setup) start(ctx context.Context, demo demonstration) error {
	var err error
	if s.maker, err = device.NewManufacturer(); err != nil {
		return err
	}
	dir, err := s.mkdir("ca")
	if err != nil {
		return err
	}
	s.ca, err = stepca.Init(ctx, stepca.Config{
		StepCA:           s.programs.StepCA(),
		Step:             s.programs.Step(),
		Dir:              dir,
		RemoteManagement: true,
		InitArgs:         demo.ca,
	})
	if err != nil {
		return err
	}
	if err := s.ca.Start(ctx); err != nil {
		return err
	}
	if s.client, err = s.ca.Client(); err != nil {
		return err
	}
	return demo.open(ctx, s)
}

// openGate puts a gate in front of the CA. It completes config with what is the same in
// every demonstration.
func (s *setup) openGate(ctx context.Context, config gate.Config) error {
	dir, err := s.mkdir("connector")
	if err != nil {
		return err
	}
	config.Binary, config.Dir = s.programs.Connector(), dir
	config.More = append(config.More, "STATE_URL=sqlite:"+filepath.Join(dir, "state.db"))
	config.Kind, config.ServerKey = stepca.Enriching, stepca.EC
	config.Provisioner.Name = "devices"
	config.Provisioner.AttestationRoots = s.maker.RootPEM()
	s.gate, err = gate.Open(ctx, s.ca, config)
	return err
}

func (s *setup) mkdir(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	return dir, nil
}

// stop stops everything that start started.
func (s *setup) stop() error {
	var errs []error
	stop := func(what string, started bool, stop func() error) {
		if !started {
			return
		}
		if err := stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop %s: %w", what, err))
		}
	}
	stop("FreeRADIUS", s.shown.radius != nil, func() error { return s.shown.radius.Stop() })
	stop("nginx", s.shown.proxy != nil, func() error { return s.shown.proxy.Stop() })
	stop("the application", s.shown.application != nil, func() error { return s.shown.application.Stop() })
	stop("the connector", s.gate != nil, func() error { return s.gate.Close() })
	stop("the connector", s.guard != nil, func() error { return s.guard.Close() })
	stop("the Jamf Pro server", s.jamf != nil, func() error { return s.jamf.Stop() })
	stop("the identity provider", s.people.idp != nil, func() error { return s.people.idp.Stop() })
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	stop("step-ca", s.ca != nil, func() error { return s.ca.Stop() })
	return errors.Join(errs...)
}
