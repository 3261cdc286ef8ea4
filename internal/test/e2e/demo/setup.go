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
	maker    *device.Manufacturer
	client   *http.Client // trusts the CA
	// pending is an order that got no decision.
	pending *device.Order
}

// start starts the CA, and then what open adds.
func (s *setup) start(ctx context.Context, open func(context.Context, *setup) error) error {
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
	return open(ctx, s)
}

// openGate puts a gate in front of the CA. It completes config with what is the same in
// every demonstration.
func (s *setup) openGate(ctx context.Context, config gate.Config) error {
	dir, err := s.mkdir("connector")
	if err != nil {
		return err
	}
	config.Binary, config.Dir = s.programs.Connector(), dir
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
	if s.gate != nil {
		if err := s.gate.Close(); err != nil {
			errs = append(errs, fmt.Errorf("stop the connector: %w", err))
		}
	}
	if s.jamf != nil {
		if err := s.jamf.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop the Jamf Pro server: %w", err))
		}
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	if s.ca != nil {
		if err := s.ca.Stop(); err != nil {
			errs = append(errs, fmt.Errorf("stop step-ca: %w", err))
		}
	}
	return errors.Join(errs...)
}
