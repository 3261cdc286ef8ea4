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

// stage is what the scenes are played on: a CA, a gate before it, and a
// manufacturer whose attestations the CA trusts.
type stage struct {
	dir      string
	programs toolchain.Toolchain
	ca       *stepca.CA
	jamf     *fakejamf.Server // where a Jamf Pro server takes part
	gate     *gate.Gate
	maker    *device.Manufacturer
	client   *http.Client // trusts the CA
	// waiting is the order of a device that could not be decided about.
	waiting *device.Order
}

// set starts the CA, and then what open adds.
func (s *stage) set(ctx context.Context, open func(context.Context, *stage) error) error {
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

// openGate puts a gate before the CA. What config leaves out is the same in every
// show.
func (s *stage) openGate(ctx context.Context, config gate.Config) error {
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

func (s *stage) mkdir(name string) (string, error) {
	dir := filepath.Join(s.dir, name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return "", fmt.Errorf("make folder: %w", err)
	}
	return dir, nil
}

// strike stops everything that set started.
func (s *stage) strike() error {
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
