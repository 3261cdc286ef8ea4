package jamf

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/provider/vendorhttp"
)

func (a *proAPI) setVersion(version int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version = version
}

// startVersion is the version that worked last, or the newest that a server of this version can have.
// A server that does not report its version is taken for the newest.
func (a *proAPI) startVersion(ctx context.Context) (int, error) {
	a.mu.Lock()
	version := a.version
	a.mu.Unlock()
	if version != 0 {
		return version, nil
	}
	ctx, cancel := vendorhttp.WithoutPage(ctx)
	defer cancel()
	// Any number of lookups after a cold start ask once.
	return a.flight.Do(ctx, struct{}{}, func(ctx context.Context) (int, error) {
		a.mu.Lock()
		version := a.version
		a.mu.Unlock()
		// Another flight may have found it since.
		if version != 0 {
			return version, nil
		}
		if err := a.client.Authenticate(ctx); err != nil {
			return 0, err // no other request would get a token either
		}
		limited, cancel := context.WithTimeout(ctx, versionTimeout)
		defer cancel()
		version = newestComputers
		server, err := serverVersionOf(limited, a.client)
		refused := (*vendorhttp.Fault)(nil)
		switch {
		case err == nil && server.before(11, 30):
			version--
		case err == nil:
		case ctx.Err() != nil:
			return 0, err
		case errors.As(err, &refused) && refused.Endpoint != versionEndpoint:
			return 0, err // no token
		case refused == nil && !errors.Is(err, vendorhttp.ErrOther) && !errors.Is(err, context.DeadlineExceeded):
			return 0, err
		}
		a.setVersion(version)
		return version, nil
	})
}

// serverVersion is the version of a Jamf Pro server.
type serverVersion struct{ major, minor int }

func (v serverVersion) before(major, minor int) bool {
	return v.major < major || v.major == major && v.minor < minor
}

func (v serverVersion) String() string { return fmt.Sprintf("%d.%d", v.major, v.minor) }

// serverVersionOf asks for the version, such as 11.30.1-t1234567890.
// https://developer.jamf.com/jamf-pro/reference/get_v1-jamf-pro-version
func serverVersionOf(ctx context.Context, c *vendorhttp.Client) (serverVersion, error) {
	body, err := c.Get(ctx, versionEndpoint, "/api/v1/jamf-pro-version", nil)
	if err != nil {
		return serverVersion{}, err
	}
	var answer struct {
		Version text `json:"version"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return serverVersion{}, c.Other()
	}
	parts := regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})`).FindStringSubmatch(answer.Version.Any)
	if parts == nil {
		return serverVersion{}, c.Other()
	}
	major, _ := strconv.Atoi(parts[1])
	minor, _ := strconv.Atoi(parts[2])
	return serverVersion{major, minor}, nil
}
