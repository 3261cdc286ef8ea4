package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/webhook"
)

// Requests that run at the same time use the same buffers one after the other: no answer and no line of the log has
// something of another request, even where clients leave, lookups fail and providers panic meanwhile.
func TestConcurrentRequests(t *testing.T) {
	t.Parallel()
	const clients, each = 16, 30
	var lookups atomic.Int64
	provider := inventory(func(ctx context.Context, q posture.Query) (posture.Device, error) {
		id, n := q.Identifier.String(), lookups.Add(1)
		select {
		case <-time.After(time.Duration(n%3) * time.Millisecond):
		case <-ctx.Done():
			return posture.Device{}, ctx.Err()
		}
		switch n % 10 {
		case 0:
			panic("provider")
		case 1:
			return posture.Device{}, errors.New("no answer about " + id)
		}
		return posture.Device{Identifier: id, Facts: posture.Facts{Managed: posture.Known(true)}, Data: json.RawMessage(`{"id":"` + q.Identifier.String() + `"}`)}, nil
	})
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			c := start(t, provider, nil, testHook())
			transport, ok := c.Client().Transport.(*http.Transport)
			if !ok {
				t.Fatal("the client has another transport")
			}
			transport.ForceAttemptHTTP2 = protocol == "HTTP/2"
			if protocol == "HTTP/1.1" {
				transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
			}
			var all sync.WaitGroup
			for client := range clients {
				all.Go(func() {
					for i := range each {
						oneOfMany(t, c, client*each+i, protocol)
					}
				})
			}
			all.Wait()
			c.log.mu.Lock()
			text := c.log.text.String()
			c.log.mu.Unlock()
			lines := 0
			for line := range strings.Lines(text) {
				var event map[string]any
				if err := json.Unmarshal([]byte(line), &event); err != nil {
					t.Fatal(err)
				}
				id, has := event["identifier"].(string)
				if reason, _ := event["reason"].(string); has && id != event["request_id"] || strings.HasPrefix(reason, "no answer about ") && reason != "no answer about "+id {
					t.Errorf("an event has something of another request: %s", line)
				}
				lines++
			}
			if lines < clients*each*3/4 {
				t.Errorf("%d lines were logged of %d requests", lines, clients*each)
			}
		})
	}
}

// oneOfMany makes a request about a device, in one of several forms.
func oneOfMany(t *testing.T, c *connector, n int, protocol string) {
	t.Helper()
	id := fmt.Sprintf("C%08dX", n)
	member := `"attestationData":{"permanentIdentifier":"` + id + `"}`
	if n%2 == 0 { // which the JSON library reads
		member = `"attestationData":{"permanentIdentifier":"\u00` + strconv.FormatInt(int64(id[0]), 16) + id[1:] + `"}`
	}
	size := []int{0, 100, 7000, 8 << 10, 9 << 10, 60 << 10}[n%11%6]
	body := []byte(`{` + stamp + `,"x":"` + strings.Repeat("x", size) + `",` + member + `,` + cert + `}`)
	header := signed(testHook(), body)
	header.Set("X-Request-Id", id)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	leaves := n%5 == 0
	if leaves {
		time.AfterFunc(time.Duration(n*37%2000)*time.Microsecond, cancel)
	}
	in := io.Reader(bytes.NewReader(body))
	if n%3 == 0 {
		in = io.MultiReader(in) // in chunks, without a length
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL+webhook.AttestPath, in)
	if err != nil {
		t.Error(err)
		return
	}
	// A client that leaves in the middle of its body makes the server send GOAWAY, after which others are sent again.
	request.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	for name, values := range header {
		request.Header[name] = values
	}
	response, err := c.Client().Do(request)
	if err == nil {
		defer response.Body.Close()
		var text []byte
		if text, err = io.ReadAll(response.Body); err == nil {
			if response.Proto[:6] != protocol[:6] {
				t.Errorf("the protocol is %s, want %s", response.Proto, protocol)
			}
			if response.StatusCode < http.StatusInternalServerError && string(text) != `{"allow":true,"data":{"id":"`+id+`"}}` {
				t.Errorf("the answer about %s is %s", id, text)
			}
		}
	}
	if err != nil && !leaves {
		t.Error(err)
	}
}
