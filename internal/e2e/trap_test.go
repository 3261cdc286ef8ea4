package e2e_test

import (
	"errors"
	"testing"

	"step-posture-connector/internal/e2e/connector"
	"step-posture-connector/internal/e2e/device"
	"step-posture-connector/internal/e2e/gate"
	"step-posture-connector/internal/e2e/process"
	"step-posture-connector/internal/e2e/stepca"
)

func testRenewal(t *testing.T, l *lab)         {}
func testRenewalDisabled(t *testing.T, l *lab) {}
func testSecretInConfig(t *testing.T, l *lab)  {}

var _ = errors.New
var _ connector.Config
var _ device.Device
var _ gate.Config
var _ process.Spec
var _ stepca.CA
