package console_test

import (
	"os"
	"testing"

	"step-posture-connector/internal/test/program"
)

func TestMain(m *testing.M) { os.Exit(program.Main(m)) }
