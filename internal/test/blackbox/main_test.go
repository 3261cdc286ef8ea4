// Package blackbox tests the whole connector from outside, as an operator runs it.
package blackbox_test

import (
	"os"
	"testing"

	"step-posture-connector/internal/test/program"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }
