package jamf

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"

	"github.com/go-json-experiment/json"
)

func (a *proAPI) setVersion(version int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version = version
}

// startVersion is the version that worked last, or the newest that a server of this version can have.
// A server that does not tell its version is taken to be of the newest.
func (a *proAPI) startVersion(ctx context.Context) (int, error) {
	a.mu.Lock()
	version := a.version
	a.mu.Unlock()
	if version != 0 {
		return version, nil
	}
	// Any number of lookups after a cold start ask once.
	return a.flight.Do(ctx, struct{}{}, func(ctx context.Context) (int, error) {
		a.mu.Lock()
		version := a.version
		a.mu.Unlock()
		// Another flight may have landed between the look above and the start of this one.
		if version != 0 {
			return version, nil
		}
		if err := a.client.authenticate(ctx); err != nil {
			return 0, err // nothing else would get a token either
		}
		limited, cancel := context.WithTimeout(ctx, versionTimeout)
		defer cancel()
		version = newestComputers
		server, err := a.client.serverVersion(limited)
		refused := (*fault)(nil)
		switch {
		case err == nil && server.before(11, 30):
			version--
		case err == nil:
		case ctx.Err() != nil:
			return 0, err
		case errors.As(err, &refused) && refused.endpoint != versionEndpoint:
			return 0, err // no token
		case refused == nil && !errors.Is(err, errNotJamf) && !errors.Is(err, context.DeadlineExceeded):
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

// serverVersion asks for the version, such as 11.30.1-t1234567890.
// https://developer.jamf.com/jamf-pro/reference/get_v1-jamf-pro-version
func (c *client) serverVersion(ctx context.Context) (serverVersion, error) {
	body, err := c.get(ctx, versionEndpoint, "/api/v1/jamf-pro-version", nil)
	if err != nil {
		return serverVersion{}, err
	}
	var answer struct {
		Version text `json:"version"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return serverVersion{}, errNotJamf
	}
	parts := regexp.MustCompile(`^(\d{1,4})\.(\d{1,4})`).FindStringSubmatch(string(answer.Version))
	if parts == nil {
		return serverVersion{}, errNotJamf
	}
	major, _ := strconv.Atoi(parts[1])
	minor, _ := strconv.Atoi(parts[2])
	return serverVersion{major, minor}, nil
}
