package jamf

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
)

// proAPI is the Jamf Pro API.
// https://developer.jamf.com/jamf-pro/reference/jamf-pro-api
type proAPI struct {
	client      *client
	departments *departments
	resolve     bool // department names of computers are wanted

	flight  flight.Group[struct{}, int]
	mu      sync.Mutex
	version int // of the computers endpoint; 0 until it is known
}

const (
	newestComputers = 4 // since server version 11.30
	oldestComputers = 1
	pageSize        = 100
	maxPages        = 10

	computersEndpoint = "computers-inventory"
	mobileEndpoint    = "mobile-devices/detail"
	versionEndpoint   = "jamf-pro-version"

	pageOfResults = "a page of results"
)

func (a *proAPI) lookup(ctx context.Context, t posture.DeviceType, id posture.Identifier) (record, error) {
	if t == posture.Computer {
		return a.computer(ctx, id)
	}
	return a.mobile(ctx, id)
}

func (a *proAPI) checkDepartments(ctx context.Context) error {
	if !a.resolve {
		return nil
	}
	_, err := a.client.get(ctx, departmentsEndpoint, "/api/v1/departments", url.Values{"page": {"0"}, "page-size": {"1"}})
	return err
}

// computerRecord is a result of computers-inventory.
// https://developer.jamf.com/jamf-pro/reference/get_v1-computers-inventory
type computerRecord struct {
	UDID    text `json:"udid"`
	General struct {
		Name             text `json:"name"`
		RemoteManagement struct {
			Managed flag `json:"managed"`
		} `json:"remoteManagement"`
	} `json:"general"`
	Hardware struct {
		SerialNumber text `json:"serialNumber"`
	} `json:"hardware"`
	UserAndLocation struct {
		Username     text `json:"username"`
		Realname     text `json:"realname"`
		Email        text `json:"email"`
		Position     text `json:"position"`
		DepartmentID text `json:"departmentId"`
	} `json:"userAndLocation"`
	Groups []membership `json:"groupMemberships"`
}

// mobileRecord is a result of mobile-devices/detail.
// https://developer.jamf.com/jamf-pro/reference/get_v2-mobile-devices-detail
type mobileRecord struct {
	General struct {
		UDID        text `json:"udid"`
		DisplayName text `json:"displayName"`
		Managed     flag `json:"managed"`
	} `json:"general"`
	Hardware struct {
		SerialNumber text `json:"serialNumber"`
	} `json:"hardware"`
	UserAndLocation struct {
		Username     text `json:"username"`
		RealName     text `json:"realName"`
		EmailAddress text `json:"emailAddress"`
		Position     text `json:"position"`
		Department   text `json:"department"`
	} `json:"userAndLocation"`
	Groups []membership `json:"groups"`
}

type membership struct {
	GroupName text `json:"groupName"`
}

func names(memberships []membership) []string {
	list := make([]string, 0, len(memberships))
	for _, m := range memberships {
		list = append(list, string(m.GroupName))
	}
	return list
}

func (a *proAPI) computer(ctx context.Context, id posture.Identifier) (record, error) {
	results, err := a.computers(ctx, id)
	if err != nil {
		return record{}, err
	}
	found := make([]record, len(results))
	for i, c := range results {
		found[i] = record{
			deviceType: posture.Computer, serial: string(c.Hardware.SerialNumber), udid: string(c.UDID),
			name: string(c.General.Name), managed: bool(c.General.RemoteManagement.Managed), groups: names(c.Groups),
			user: user{
				Username: string(c.UserAndLocation.Username), Realname: string(c.UserAndLocation.Realname),
				EmailAddress: string(c.UserAndLocation.Email), Position: string(c.UserAndLocation.Position),
			},
			departmentID: string(c.UserAndLocation.DepartmentID),
		}
	}
	r, err := only(id, found)
	if err == nil && a.resolve {
		r.user.Department = a.departments.name(ctx, r.departmentID)
	}
	return r, err
}

func (a *proAPI) mobile(ctx context.Context, id posture.Identifier) (record, error) {
	results, err := search[mobileRecord](ctx, a.client, mobileEndpoint, "/api/v2/mobile-devices/detail", url.Values{
		"section": {"GENERAL", "HARDWARE", "USER_AND_LOCATION", "GROUPS"},
		"filter":  {"serialNumber==" + quoteRSQL(id.String())},
	})
	if err != nil {
		return record{}, err
	}
	found := make([]record, len(results))
	for i, m := range results {
		found[i] = record{
			deviceType: posture.MobileDevice, serial: string(m.Hardware.SerialNumber), udid: string(m.General.UDID),
			name: string(m.General.DisplayName), managed: bool(m.General.Managed), groups: names(m.Groups),
			user: user{
				string(m.UserAndLocation.Username), string(m.UserAndLocation.RealName),
				string(m.UserAndLocation.EmailAddress), string(m.UserAndLocation.Position), string(m.UserAndLocation.Department),
			},
		}
	}
	return only(id, found)
}

// computers searches with the newest version of the endpoint that the server has. A search has no
// other reason for a 404 than that the version is not there, so each steps down by one.
func (a *proAPI) computers(ctx context.Context, id posture.Identifier) ([]computerRecord, error) {
	query := url.Values{
		"section": {"GENERAL", "HARDWARE", "USER_AND_LOCATION", "GROUP_MEMBERSHIPS"},
		"filter":  {"hardware.serialNumber==" + quoteRSQL(id.String())},
	}
	version, err := a.startVersion(ctx)
	if err != nil {
		return nil, err
	}
	for ; ; version-- {
		path := fmt.Sprintf("/api/v%d/computers-inventory", version)
		results, err := search[computerRecord](ctx, a.client, computersEndpoint, path, query)
		missing := (*fault)(nil)
		switch {
		case err == nil:
			a.setVersion(version)
			return results, nil
		case !errors.As(err, &missing) || missing.status != http.StatusNotFound || missing.endpoint != computersEndpoint:
			return nil, err
		case version == oldestComputers:
			// Not even the oldest: begin at the top next time, the server may have been replaced.
			a.setVersion(0)
			return nil, err
		}
	}
}

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
		version = newestComputers
		server, err := a.client.serverVersion(ctx)
		refused := (*fault)(nil)
		switch {
		case err == nil && server.before(11, 30):
			version--
		case err == nil:
		case errors.As(err, &refused) && refused.endpoint != versionEndpoint:
			return 0, err // no token: nothing else would get one either
		case refused == nil && !errors.Is(err, errNotJamf):
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

// search reads every page of a search.
func search[T any](ctx context.Context, c *client, endpoint, path string, query url.Values) ([]T, error) {
	var all []T
	query.Set("page-size", strconv.Itoa(pageSize))
	for page := range maxPages {
		query.Set("page", strconv.Itoa(page))
		body, err := c.get(ctx, endpoint, path, query)
		if err != nil {
			return nil, err
		}
		var answer struct {
			TotalCount *int `json:"totalCount"`
			Results    *[]T `json:"results"`
		}
		if err := decode(endpoint, pageOfResults, body, &answer); err != nil {
			return nil, err
		}
		if answer.TotalCount == nil || answer.Results == nil {
			return nil, fmt.Errorf("%s: the answer is not %s; check that JAMF_BASE_URL is a Jamf Pro server", endpoint, pageOfResults)
		}
		all = append(all, *answer.Results...)
		switch {
		case len(all) == *answer.TotalCount:
			return all, nil
		case len(all) > *answer.TotalCount, len(*answer.Results) == 0:
			return nil, fmt.Errorf("%s: %d results where %d were said to be", endpoint, len(all), *answer.TotalCount)
		}
	}
	return nil, fmt.Errorf("%s: more than %d pages of results", endpoint, maxPages)
}

// quoteRSQL makes a value of an RSQL filter. A * in it would still be a wildcard, which identifiers
// of letters and digits do not have.
func quoteRSQL(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
