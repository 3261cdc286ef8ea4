package expression_test

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/provider/httpjson/expression"
)

// TestCost: an expression cannot make much of little, whatever the answer is: memory and time are bounded by the answer.
func TestCost(t *testing.T) {
	letters := `{"t":"` + strings.Repeat("a", 20_000) + `","l":[` + strings.Repeat(`"a",`, 20_000) + `"a"],"d":[` + numbers(5_000) + `]}`
	body, err := expression.Decode([]byte(letters))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		`item.t.replace("", item.t)`,
		`item.t.replace("a", item.t)`,
		`item.t.replace("a", item.t, 100000)`,
		`item.l.join(item.t)`,
		`item.t.split("").join(item.t)`,
		`item.d.distinct()`,
		`item.d.sort()`,
		`item.d.sortBy(x, -x)`,
		`"%.999999999f".format([1.5])`,
		`item.t.format([1])`,
		`words(item.t, "a")`,
		`item.d.flatten()`,
		`item.d + item.d`,
		"[item.d]" + strings.Repeat(".map(y, y + y)", 40),
		`item.l.map(a, item.t)`,
		`item.t.matches("(a|aa)*b")`,
		`item.t.matches(item.t)`,
		`item.d.exists(a, item.d.exists(b, b == a + 1 && b < 0))`,
		`item.t.reverse() + item.t.upperAscii() + item.t.lowerAscii()`,
		`strings.quote(item.t)`,
		`lists.range(1000000000)`,
	} {
		e, faults := scope(t).Compile(text, expression.AnyKind)
		if faults != nil {
			continue // it is refused
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _, err := e.Evaluate(ctx, map[string]any{"item": body, "body": body, "status": 200, "json": true, "text": "", "asked": "C02", "vars": map[string]string{}, "groups": nil})
		runtime.ReadMemStats(&after)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: it does not end in time", text)
		}
		used := (after.TotalAlloc - before.TotalAlloc) >> 20
		if used > 64 {
			t.Errorf("%s: %d MiB were allocated", text, used)
		}
	}
}

func numbers(n int) string {
	var s strings.Builder
	for i := range n {
		if i > 0 {
			s.WriteByte(',')
		}
		s.WriteString(strings.Repeat("1", 1+i%5))
		s.WriteString(string(rune('0' + i%10)))
	}
	return s.String()
}
