package daemon_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// generationText is a version of a policy file. Its names are those of no other version; an inventory that makes requests
// keeps its name, but has another server.
func generationText(n int) string {
	return fmt.Sprintf(`inventories:
  list%[1]d: {provider: file, path: devices.csv, type: csv}
  mdm: {provider: jamf, base_url: "https://%[1]d.example.com", client_id: a, client_secret: {file: secret}}
policies:
  p%[1]d:
    inventories: [list%[1]d, mdm]
    rules:
      - {name: a%[1]d, require: '"x%[1]d" in device.groups', code: code%[1]d}
      - {name: b%[1]d, require: device.last_seen > now - days(7)}
    data: {version: '"%[1]d"'}
webhooks:
  - {name: w%[1]d, id: 3f0c6c1e-1f6e-4a52-9d33-%012[1]d, secret: {file: secret}, policy: p%[1]d}
`, n)
}

// TestGenerationsLeaveNothing: after 1,000 versions (fewer under the race detector) of the policy file, the process has as many goroutines, files and series
// as after the first ones, and no more memory. Not parallel: it counts those of the whole process.
func TestGenerationsLeaveNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in := install(t)
		in.write(t, "secret", in.secret)
		in.write(t, "posture.yaml", generationText(0))
		d := in.loaded(t, map[string]string{"PROVIDER": "", "FILE_PATH": "", "FILE_TYPE": "", "WEBHOOK_IDS": "", "WEBHOOK_SECRETS": "", "POLICY_PATH": "DIR/posture.yaml"})
		reload, metrics, _ := d.Reloader()
		next := 0
		generations := func(n int) usage {
			t.Helper()
			for range n {
				next++
				in.write(t, "posture.yaml", generationText(next))
				if err := reload(); err != nil {
					t.Fatalf("version %d: %v", next, err)
				}
			}
			time.Sleep(time.Minute) // of the fake clock: what is gone is closed when the last request must have ended
			synctest.Wait()
			return used(t, metrics)
		}
		before := generations(generationsCounted / 10)
		after := generations(generationsCounted - next)
		t.Logf("after %d: %+v, before %+v", next, after, before)
		const others = 10 // goroutines and files of the runtime, which come and go; a leak would be hundreds
		if after.goroutines > before.goroutines+others || after.files > before.files+others || after.series != before.series {
			t.Errorf("after %d versions: %+v, before: %+v", next, after, before)
		}
		const slack = 4 << 20 // a version has more than 100 KiB, so 225 would have more than 20 MiB
		if after.heap > before.heap+slack {
			t.Errorf("%d bytes of memory after %d versions, %d before", after.heap, next, before.heap)
		}
		runtime.KeepAlive(reload) // with all that it holds, until it was measured
	})
}

type usage struct {
	goroutines, files, series int
	heap                      uint64
}

func used(t *testing.T, metrics http.Handler) (u usage) {
	t.Helper()
	recorder := httptest.NewRecorder()
	metrics.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", http.NoBody))
	// Those of Go and of the process are not ours.
	u.series = len(regexp.MustCompile(`(?m)^step_posture_[^gp]`).FindAllString(recorder.Body.String(), -1))
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil || recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), "step_posture_policy_info") {
		t.Fatalf("%v, %d %s", err, recorder.Code, recorder.Body)
	}
	u.goroutines, u.files = runtime.NumGoroutine(), len(files)
	runtime.GC()
	runtime.GC() // what a pool holds is kept for one collection more
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	u.heap = memory.HeapAlloc
	return u
}
