package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
)

const (
	fakeClient        = "bench"
	fakeSecret        = "bench-secret"
	fakeTokenLifetime = 599 // seconds
	fakeEndpoint      = "mobile-devices"
	fakeTimeout       = 10 * time.Second
	maxReport         = 1 << 20 // bytes
)

// fake is the simulated Jamf Pro server, in a process of its own.
type fake struct {
	*process
	client *http.Client
	admin  string // URL
	ca     string // path
}

// fakeReport is what the fake has seen, as far as it is looked at here.
type fakeReport struct {
	Violations  []string       `json:"violations"`
	Counts      map[string]int `json:"counts"`
	Connections int            `json:"connections"`
	Abandoned   int            `json:"abandoned"`
}

// lookups is how many lookups have arrived.
func (r fakeReport) lookups() int { return r.Counts[fakeEndpoint] }

// fake starts the Jamf Pro server with so many mobile devices.
func (b *bench) fake(ctx context.Context, count int) (*fake, error) {
	devices := make([]jamftest.Device, count)
	for i := range devices {
		devices[i] = jamftest.Device{Serial: device(i).identifier(), Managed: new(true)}
	}
	return b.fakeOf(ctx, jamftest.Options{Devices: devices})
}

// fakeOf starts the Jamf Pro server with these options. It gives way to the servers that are measured, which would not share a
// machine with it.
func (b *bench) fakeOf(ctx context.Context, o jamftest.Options) (*fake, error) {
	o.Clients = []jamftest.Client{{
		ID: fakeClient, Secret: fakeSecret, ExpiresIn: fakeTokenLifetime,
		Privileges: []string{jamftest.ReadComputers, jamftest.ReadMobileDevices, jamftest.ReadDepartments},
	}}
	options, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encode options: %w", err)
	}
	if err := os.WriteFile(b.folder.file("jamf.json"), options, private); err != nil {
		return nil, fmt.Errorf("write options: %w", err)
	}
	f := &fake{client: &http.Client{Transport: &http.Transport{}, Timeout: fakeTimeout}, ca: b.folder.file("jamf_ca.pem")}
	f.process, err = b.run(ctx, "fakejamf", func(ctx context.Context, address string) *exec.Cmd {
		return exec.CommandContext(ctx, "nice", b.fakePath(),
			"-ca", f.ca, "-options", b.folder.file("jamf.json"), "-listen", address, "-admin", net.JoinHostPort(host, "0"))
	})
	if err != nil {
		return nil, err
	}
	return f, f.findAdmin(ctx)
}

// findAdmin reads where the admin handler is; the fake says so as soon as it serves.
func (f *fake) findAdmin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, fakeTimeout)
	defer cancel()
	for {
		if found := regexp.MustCompile(`(?m)^admin (\S+)$`).FindStringSubmatch(f.tail()); found != nil {
			f.admin = found[1]
			return nil
		}
		if err := pause(ctx, pollEvery); err != nil {
			return fmt.Errorf("fakejamf has not said where its admin handler is: %w", err)
		}
	}
}

// delay has the fake answer lookups after so long.
func (f *fake) delay(ctx context.Context, d time.Duration) error {
	if _, err := f.command(ctx, http.MethodPost, "/heal", ""); err != nil {
		return err
	}
	_, err := f.command(ctx, http.MethodPost, "/fail",
		fmt.Sprintf(`{"endpoints":[%q],"fault":{"kind":"slow","delay":%d}}`, fakeEndpoint, d.Nanoseconds()))
	return err
}

// report returns what was seen. A violation of Jamf's rules is an error.
func (f *fake) report(ctx context.Context) (fakeReport, error) {
	var r fakeReport
	text, err := f.command(ctx, http.MethodGet, "/report", "")
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("fakejamf: %w", err)
	}
	if len(r.Violations) > 0 {
		return r, errors.New("fakejamf saw violations: " + strings.Join(r.Violations, "; "))
	}
	return r, nil
}

// await returns when what was seen is as wanted, with the time that this took.
func (f *fake) await(ctx context.Context, limit time.Duration, reached func(fakeReport) bool) (time.Duration, error) {
	began := time.Now()
	for {
		r, err := f.report(ctx)
		if err != nil {
			return 0, err
		}
		spent := time.Since(began)
		switch {
		case reached(r):
			return spent, nil
		case spent > limit:
			return spent, errNotSeen
		}
		if err := pause(ctx, pollEvery); err != nil {
			return 0, err
		}
	}
}

// errNotSeen says that the fake has not seen in time what it was to see.
var errNotSeen = errors.New("not seen in time")

func (f *fake) command(ctx context.Context, method, path, body string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, f.admin+path, bytes.NewReader([]byte(body)))
	if err != nil {
		return nil, fmt.Errorf("fakejamf: %w", err)
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("fakejamf: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReport))
	if err != nil || response.StatusCode/100 != 2 {
		return nil, fmt.Errorf("fakejamf: %s %s: %s, %w", method, path, response.Status, err)
	}
	return text, nil
}
