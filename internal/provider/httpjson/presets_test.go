package httpjson_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/httpjson"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// sample is an answer in testdata/presets, and what a preset makes of it. A file has lines "name: value", an empty line, and
// the answer as it comes over HTTP/1.1. Behind a line "--- NAME" is the answer to the step of that name.
type sample struct {
	identifier string
	outcome    string // found, not found, ambiguous or fault
	step       int    // of the outcome rule
	facts      map[string]any
	answers    []answer
}

// stepFound is the last step: nothing was wrong. stepThen is that of further requests, whose errors name them.
const (
	stepFound = 14
	stepThen  = 13
)

type answer struct {
	status int
	header http.Header
	body   []byte
}

// The sections around each preset: what a site has to say.
func sections() map[string]string {
	return map[string]string{
		"simplemdm@1":       "secrets: {api_key: {env: SECRET}}\nlimits: {rate: 1000/s, burst: 1000}\n",
		"snipeit@1":         "secrets: {token: {env: SECRET}}\n",
		"netbox@1":          "secrets: {token: {env: SECRET}}\n",
		"jumpcloud@1":       "secrets: {api_key: {env: SECRET}}\n",
		"kolide@1":          "secrets: {token: {env: SECRET}}\nallow_unmanaged: true\n",
		"workspaceone@1":    "secrets: {token: {env: SECRET}}\nauth: {type: bearer, token: '{{secret.token}}'}\n",
		"deviceinventory@1": "secrets: {api_key: {env: SECRET}}\n",
	}
}

// Each preset with each of its sample answers: the outcome, the step that decided, and every fact.
func TestPresets(t *testing.T) {
	t.Parallel()
	presets, err := filepath.Glob("presets/*.yaml")
	if err != nil || len(presets) != len(sections()) {
		t.Fatalf("there are %d presets, %v, and sections for %d", len(presets), err, len(sections()))
	}
	for _, path := range presets {
		preset := strings.TrimSuffix(filepath.Base(path), ".yaml")
		files, err := filepath.Glob(filepath.Join("testdata", "presets", preset, "*.http"))
		if err != nil || len(files) < 10 {
			t.Errorf("%s has %d sample answers, %v", preset, len(files), err)
		}
		for _, file := range files {
			t.Run(preset+"/"+strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
				t.Parallel()
				try(t, preset, readSample(t, file))
			})
		}
	}
}

func try(t *testing.T, preset string, s sample) {
	t.Helper()
	server := replay(t, s.answers)
	provider := openSection(t, "preset: "+preset+"\nbase_url: "+server.URL()+"\nca_file: "+trust(t, server)+"\n"+sections()[preset], "hunter2")
	device, err := provider.Lookup(t.Context(), posture.Query{Identifier: mustParse(t, s.identifier), Facts: posture.AllFacts()})
	got := outcomeOf(err)
	if got != s.outcome {
		t.Fatalf("%s (%v), want %s", got, err, s.outcome)
	}
	if err == nil {
		if got := known(&device); !reflect.DeepEqual(got, s.facts) {
			t.Errorf("facts\n%v\nwant\n%v", got, s.facts)
		}
	}
	tryOffline(t, preset, s, got)
	if got := stepOf(t, err); got != s.step && (got != 0 || s.step > 3) {
		t.Errorf("step %d decided (%v), want %d", got, err, s.step)
	}
}

// tryOffline judges a sample as "lookup --sample" does, which takes every answer for JSON. It names the step in any case.
func tryOffline(t *testing.T, preset string, s sample, want string) {
	t.Helper()
	isJSON := s.answers[0].header.Get("Content-Type") == "application/json"
	if len(s.answers) > 1 || !isJSON && preset != "deviceinventory@1" || want == "found" {
		return
	}
	step := ""
	c := readSection(t, "preset: "+preset+"\nbase_url: https://127.0.0.1\n"+sections()[preset], "hunter2")
	_, err := c.Offline(httpjson.Sample{Status: s.answers[0].status, Body: s.answers[0].body, Decided: func(of string) { step = of }}).
		Lookup(t.Context(), posture.Query{Identifier: mustParse(t, s.identifier), Facts: posture.AllFacts()})
	if got := outcomeOf(err); got != want || !strings.HasPrefix(step, "step "+strconv.Itoa(s.step)+" ") {
		t.Errorf("offline: %s (%v), %s; want %s, step %d", got, err, step, want, s.step)
	}
}

func outcomeOf(err error) string {
	switch {
	case err == nil:
		return "found"
	case errors.Is(err, posture.ErrNotFound):
		return "not found"
	case errors.Is(err, posture.ErrAmbiguous):
		return "ambiguous"
	}
	return "fault"
}

// stepOf is the step that an error names. The client of the connection may have returned one of the first three itself.
func stepOf(t *testing.T, err error) int {
	t.Helper()
	if err == nil {
		return stepFound
	}
	m := regexp.MustCompile(`step (\d+) \(`).FindStringSubmatch(err.Error())
	switch {
	case m == nil && strings.HasPrefix(err.Error(), "then."):
		return stepThen
	case m == nil:
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// known are the facts of a device that are known, as JSON has them.
func known(d *posture.Device) map[string]any {
	facts := map[string]any{}
	for _, of := range posture.Vocabulary() {
		value, known := of.Get(d)
		if !known || of.Name == "device.identifier" {
			continue
		}
		switch value := value.(type) {
		case time.Time:
			facts[of.Name] = value.UTC().Truncate(time.Second).Format(time.RFC3339)
		case posture.Version:
			facts[of.Name] = value.String()
		case []string:
			list := []any{}
			for _, text := range value {
				list = append(list, text)
			}
			facts[of.Name] = list
		case map[string]string:
			for name, text := range value {
				facts["attributes."+name] = text
			}
		default:
			facts[of.Name] = value
		}
	}
	return facts
}

// replay is a server that answers with these answers, in their order, and begins again.
func replay(t *testing.T, answers []answer) *vendortest.Server {
	t.Helper()
	next := 0
	steps := map[string]int{} // which answer a path has: a request may be repeated
	server, err := vendortest.New(vendortest.API{
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			at, seen := steps[r.URL.Path]
			if !seen {
				at = min(next, len(answers)-1)
				steps[r.URL.Path], next = at, next+1
			}
			for name, values := range answers[at].header {
				w.Header()[name] = values
			}
			if _, typed := answers[at].header["Content-Type"]; !typed {
				w.Header()["Content-Type"] = nil // otherwise the server guesses one
			}
			w.WriteHeader(answers[at].status)
			_, _ = w.Write(answers[at].body)
		}),
		Endpoint: func(*http.Request) string { return "lookup" },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	t.Cleanup(func() {
		if v := server.Violations(); len(v) > 0 {
			t.Errorf("violations: %q", v)
		}
	})
	return server
}

func readSample(t *testing.T, path string) sample {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(content), "\n\n")
	var s sample
	for line := range strings.SplitSeq(head, "\n") {
		name, value, _ := strings.Cut(line, ": ")
		switch name {
		case "identifier":
			s.identifier = value
		case "outcome":
			s.outcome = value
		case "step":
			s.step, err = strconv.Atoi(value)
		case "facts":
			err = json.Unmarshal([]byte(value), &s.facts)
		default:
			t.Fatalf("%s: unknown line %q", path, line)
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", path, name, err)
		}
	}
	for i, part := range strings.Split(rest, "\n--- ") {
		if i > 0 {
			_, part, _ = strings.Cut(part, "\n") // the name of the step
		}
		s.answers = append(s.answers, readAnswer(t, path, part))
	}
	if (s.outcome == "found") != (s.facts != nil) {
		t.Fatalf("%s: facts are of what is found, and of nothing else", path)
	}
	return s
}

func readAnswer(t *testing.T, path, text string) answer {
	t.Helper()
	r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader([]byte(text))), &http.Request{Method: http.MethodGet, URL: &url.URL{}})
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return answer{r.StatusCode, r.Header, body}
}

func mustParse(t *testing.T, identifier string) posture.Identifier {
	t.Helper()
	id, err := posture.ParseIdentifier(identifier)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// isAnswer reports whether an error is an answer about the device.
func isAnswer(err error) bool {
	return errors.Is(err, posture.ErrNotFound) || errors.Is(err, posture.ErrAmbiguous) || errors.Is(err, posture.ErrIdentifier)
}
