package console_test

import (
	"os"
	"testing"

	"step-posture-connector/internal/test/program"
)

func TestMain(m *testing.M) {
	if os.Getenv(program.AsProgram) != "" {
		os.Exit(program.Main(m))
	}
	// These tests compute, in a browser each: more of them at once than processors would only be slower.
	os.Exit(m.Run())
}
