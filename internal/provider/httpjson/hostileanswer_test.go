package httpjson_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"step-posture-connector/internal/posture"
)

const fleet = `
base_url: URL
secrets: {token: {env: TOKEN}}
auth: {type: bearer, token: "{{secret.token}}"}
request: {path: "/v1/{{serial}}"}
outcome: {found: [200], not_found: 'status == 404 && body.error == "unknown"', empty_body: {204: not_found}}
select: {items: body.devices, more: body.more}
map: {device.serial_number: item.sn, device.managed: item.ok}
list: {request: {path: /v1}, items: body.devices, next: body.next}
`

// TestHostileAnswers: what two readers could read in two ways, or what is not the whole answer, is a fault: neither found nor
// not found.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	const good, none = `{"devices":[{"sn":"C02","ok":true}],"more":false}`, `{"devices":[],"more":false}`
	bomb := func(t *testing.T) []byte {
		t.Helper()
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(`{"devices":[],"more":false,"x":"`))
		for range 64 {
			_, _ = z.Write(bytes.Repeat([]byte("a"), 1<<20))
		}
		_, _ = z.Write([]byte(`"}`))
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	write := func(status int, body string, headers ...string) func(http.ResponseWriter, *http.Request) {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Add(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"two content types":        write(200, none, "Content-Type", "text/html"),
		"two content types, found": write(200, good, "Content-Type", "text/html"),
		"another charset": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json; charset=utf-16")
			_, _ = w.Write([]byte(none))
		},
		"byte order mark":           write(200, "\ufeff"+none),
		"UTF-16":                    write(200, "\xff\xfe{\x00}\x00"),
		"half a surrogate":          write(200, `{"devices":[],"more":false,"x":"\ud800"}`),
		"no UTF-8":                  write(200, "{\"devices\":[],\"more\":false,\"x\":\"\xff\"}"),
		"a comment":                 write(200, none+"// x"),
		"NaN":                       write(200, `{"devices":[],"more":false,"x":NaN}`),
		"a member in another case":  write(200, `{"Devices":[],"more":false}`),
		"a key that is escaped too": write(200, `{"devices":[],"\u0064evices":[{"sn":"C02","ok":true}],"more":false}`),
		"a NUL behind it":           write(200, none+"\x00"),
		"205":                       write(205, ""),
		"203":                       write(203, none),
		"a 404 of another form":     write(404, `{"message":"unknown"}`),
		"fewer bytes than said": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "400")
			_, _ = w.Write([]byte(none))
		},
		"chunks that end early": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(none))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		},
		"a bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb(t))
		},
		"gzip that ends early": func(w http.ResponseWriter, _ *http.Request) {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write([]byte(none))
			_ = z.Flush()
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(b.Bytes())
		},
		"an encoding that was not asked for": write(200, none, "Content-Encoding", "br"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := serve(t, &recorder{answer: answer}, fleet)
			d, err := p.Lookup(t.Context(), posture.Query{Identifier: identifier(t, "C02"), Facts: posture.AllFacts()})
			if err == nil || errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) {
				t.Errorf("Lookup = %+v, %v, want a fault", d, err)
			} else if strings.Contains(err.Error(), "hidden-secret") || strings.Contains(err.Error(), "C02") {
				t.Errorf("the error %q shows too much", err)
			}
		})
	}
}

// TestHostileNext: credentials go along to the next page, so nothing else than the service is asked for it.
func TestHostileNext(t *testing.T) {
	t.Parallel()
	for _, next := range []string{
		"HOST.evil.example/v1?p=2", "https://evil.example/v1", "//evil.example/v1", "https://user@ADDRESS/v1", "https://ADDRESS@evil.example/v1", "https:ADDRESS/v1",
		"https://evil.example\\@ADDRESS/v1", "https://ADDRESS/v1#x", "http://ADDRESS/v1", "https://[::ffff:127.0.0.1]/v1", "https://[::1]/v1", "https://localhost/v1",
		"https://ADDRESS/../v1", "https://ADDRESS/%2e%2e/v1", "/v1/../../x", "/v1/..%2fx", "v1?p=2", "?p=2", "", " /v1?p=2", "/v1?p=2\r\nX: y", "/v1?p=%zz", "/v1?p=1;q=2",
		"javascript:alert(1)", "file:///etc/passwd", "/v1", "7", "{{secret.token}}",
	} {
		t.Run(next, func(t *testing.T) {
			t.Parallel()
			s := &recorder{}
			address := ""
			s.answer = func(w http.ResponseWriter, r *http.Request) {
				address = r.Host
				to := strings.NewReplacer("ADDRESS", r.Host, "HOST", "https://"+r.Host).Replace(next)
				_, _ = fmt.Fprintf(w, `{"devices":[{"sn":"C02","ok":true}],"more":false,"next":%q}`, to) //nolint:gosec // G705: no browser reads it
			}
			p := serve(t, s, fleet)
			_, err := p.List(t.Context(), posture.List{Facts: posture.AllFacts()}, func(posture.Listing) error { return nil })
			s.mu.Lock()
			defer s.mu.Unlock()
			if err == nil || s.requests != 1 {
				t.Errorf("List = %v with %d requests, want a fault after one", err, s.requests)
			} else if strings.Contains(strings.TrimPrefix(err.Error(), address), "evil") || strings.Contains(err.Error(), "hidden-secret") {
				t.Errorf("the error %q repeats the answer", err)
			}
		})
	}
}
