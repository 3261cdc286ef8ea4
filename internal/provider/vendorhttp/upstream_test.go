package vendorhttp

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"step-posture-connector/internal/audit"
)

// server answers with a status, or with none, and notes what request it got.
type server struct {
	status int
	got    *http.Request
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.got = r
	if s.status == 0 {
		return nil, errors.New("no answer")
	}
	return &http.Response{StatusCode: s.status, Body: http.NoBody}, nil
}

// The caller's request stays as it is; only what surely is an ID becomes a header.
func TestRequestID(t *testing.T) {
	t.Parallel()
	for id, want := range map[string]string{
		"d3f2a1": "d3f2a1", "A.b_c:d-9": "A.b_c:d-9", strings.Repeat("x", 64): strings.Repeat("x", 64),
		"": "", "a b": "", "a\r\nb": "", "é": "", strings.Repeat("x", 65): "",
	} {
		r, err := http.NewRequestWithContext(withRequestID(t.Context(), id), http.MethodGet, "https://example.com", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		s := &server{status: http.StatusOK}
		response, err := newUpstream().transport(s).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if got := s.got.Header.Get("X-Request-Id"); got != want {
			t.Errorf("ID %q: the header is %q, want %q", id, got, want)
		}
		if len(r.Header) != 0 {
			t.Errorf("ID %q: the caller's request has got headers %v", id, r.Header)
		}
	}
}

// What audit keeps of an ID, which is in our log, is what the vendor's server gets: one order can be followed.
func TestRequestIDIsThatOfTheLog(t *testing.T) {
	t.Parallel()
	for c := range 256 {
		id := "a" + string([]byte{byte(c)})
		r, err := http.NewRequestWithContext(withRequestID(t.Context(), id), http.MethodGet, "https://example.com", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		s := &server{status: http.StatusOK}
		response, err := newUpstream().transport(s).RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if sent, logged := s.got.Header.Get("X-Request-Id") == id, audit.CleanRequestID(id) == id; sent != logged {
			t.Errorf("ID %q: sent is %v, logged as it is %v", id, sent, logged)
		}
	}
}

// A server cannot create series: statuses that are unknown share one.
func TestStatuses(t *testing.T) {
	t.Parallel()
	u := newUpstream()
	before := testutil.CollectAndCount(u)
	for _, status := range []int{0, 200, 600, 742, 299, 999} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://example.com", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := u.transport(&server{status: status}).RoundTrip(r); err == nil {
			_ = response.Body.Close()
		}
	}
	if after := testutil.CollectAndCount(u); after != before+1 { // "other"
		t.Errorf("%d series, want one more than %d", after, before)
	}
}
