package auditchain_test

import (
	"flag"
	"os"
	"testing"
)

// chainLines is the flag with the length of the log of BenchmarkVerify.
const chainLines = "chain-lines"

func TestMain(m *testing.M) {
	flag.Int(chainLines, 20_000, "the number of lines of BenchmarkVerify")
	os.Exit(m.Run())
}
