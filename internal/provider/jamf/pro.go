package jamf

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
	"step-posture-connector/internal/provider/vendorhttp"
)

// proAPI is the Jamf Pro API.
// https://developer.jamf.com/jamf-pro/reference/jamf-pro-api
type proAPI struct {
	client      *vendorhttp.Client
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
	_, err := a.client.Get(ctx, departmentsEndpoint, "/api/v1/departments", url.Values{"page": {"0"}, "page-size": {"1"}})
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
	r, err := only(a.client, id, found)
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
	return only(a.client, id, found)
}

// computers searches with the newest version of the endpoint that the server has. The only reason for a 404 of a
// search is that the server lacks the version, so each 404 steps down by one.
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
		switch {
		case err == nil:
			a.setVersion(version)
			return results, nil
		case !vendorhttp.HasStatus(err, computersEndpoint, http.StatusNotFound):
			return nil, err
		case version == oldestComputers:
			// Not even the oldest: begin at the newest next time, the server may have been replaced.
			a.setVersion(0)
			return nil, err
		}
	}
}

// search reads every page of a search.
func search[T any](ctx context.Context, c *vendorhttp.Client, endpoint, path string, query url.Values) ([]T, error) {
	var all []T
	query.Set("page-size", strconv.Itoa(pageSize))
	for page := range maxPages {
		query.Set("page", strconv.Itoa(page))
		body, err := c.Get(ctx, endpoint, path, query)
		if err != nil {
			return nil, err
		}
		var answer struct {
			TotalCount *int `json:"totalCount"`
			Results    *[]T `json:"results"`
		}
		if err := c.Decode(endpoint, pageOfResults, body, &answer); err != nil {
			return nil, err
		}
		if answer.TotalCount == nil || answer.Results == nil {
			return nil, c.NotA(endpoint, pageOfResults)
		}
		all = append(all, *answer.Results...)
		switch {
		case len(all) == *answer.TotalCount:
			return all, nil
		case len(all) > *answer.TotalCount, len(*answer.Results) == 0:
			return nil, fmt.Errorf("%s: %d results, but the total is %d", endpoint, len(all), *answer.TotalCount)
		}
	}
	return nil, fmt.Errorf("%s: more than %d pages of results", endpoint, maxPages)
}

// quoteRSQL makes a value of an RSQL filter. A * in it would still be a wildcard, which identifiers
// of letters and digits do not have.
func quoteRSQL(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`
}
