package config_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/config"
)

func TestRangesOfNumbers(t *testing.T) {
	t.Parallel()
	numbers := []struct {
		variable  string
		low, high int
		of        func(config.Config) config.Whole
	}{
		{"PORT", 1, 65535, func(c config.Config) config.Whole { return c.Port }},
		{"LOGGING_LEVEL", 0, 2, func(c config.Config) config.Whole { return c.LoggingLevel }},
		{"TIMEOUT", 1, 300, func(c config.Config) config.Whole { return c.Timeout }},
		{"TIMESTAMP_TOLERANCE", 1, 3600, func(c config.Config) config.Whole { return c.TimestampTolerance }},
		{"MAX_CONNECTIONS", 1, 100_000, func(c config.Config) config.Whole { return c.MaxConnections }},
	}
	for _, number := range numbers {
		t.Run(number.variable, func(t *testing.T) {
			t.Parallel()
			for _, good := range []int{number.low, number.low + 1, number.high - 1, number.high} {
				c, problems := config.Load(environ(map[string]string{number.variable: strconv.Itoa(good)}))
				if len(problems) > 0 || int(number.of(c)) != good {
					t.Errorf("%s=%d is %d, %v, want it accepted", number.variable, good, number.of(c), problems)
				}
			}
			accepted := fmt.Sprintf("; accepted: a whole number from %d to %d", number.low, number.high)
			shown := []string{
				strconv.Itoa(number.low - 1), strconv.Itoa(number.high + 1), "-1", "+1", "1.0", "0x1", "1e0", "1/1", "1_0", "1s", "one",
				"2147483648", "4294967297",
			}
			for _, bad := range shown {
				wantRefused(t, number.variable, bad, strconv.Quote(bad)+" is not accepted"+accepted)
			}
			// Not shown: a value with spaces, or a long one, could be anything.
			for bad, why := range map[string]string{
				" 1": "the value begins or ends with a space", "1 ": "the value begins or ends with a space", "1\r\n": "the value ends with a line break, which echo adds; printf does not",
				"1\x00": "the value has a line break or another control character in it", `"1"`: "the value" + inQuotes, "\ufeff1": "the value begins with a byte-order mark, which is invisible; remove it",
			} {
				wantRefused(t, number.variable, bad, why+accepted)
			}
			for _, bad := range []string{"1,2", "\uff11", "18446744073709551617", strings.Repeat("0", 17) + "x"} {
				wantRefused(t, number.variable, bad, "the value is not accepted"+accepted)
			}
		})
	}
}

func wantRefused(t *testing.T, variable, value, want string) {
	t.Helper()
	_, problems := config.Load(environ(map[string]string{variable: value}))
	wantLines(t, fmt.Sprintf("%s=%q", variable, value), lines(problems), []string{variable + ": " + want})
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"0": false, "1": true} {
		c, problems := config.Load(environ(map[string]string{"ENABLE_MTLS": value, "TLS_CA_PATH": "/ca.crt"}))
		if len(problems) > 0 || bool(c.EnableMTLS) != want {
			t.Errorf("ENABLE_MTLS=%s is %v, %v, want %v", value, c.EnableMTLS, problems, want)
		}
	}
	for _, value := range []string{"2", "01", "-1", "true", "on", "TRUE"} {
		wantRefused(t, "ENABLE_MTLS", value, strconv.Quote(value)+" is not accepted; accepted: 0 or 1")
	}
	wantRefused(t, "ENABLE_MTLS", " 1", "the value begins or ends with a space; accepted: 0 or 1")
}
