package jamf

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/flight"
	"step-posture-connector/internal/provider/vendorhttp"
)

// proAPI is the Jamf Pro API.
// https://developer.jamf.com/jamf-pro/reference/jamf-pro-api
type proAPI struct {
	client      *vendorhttp.Client
	departments *departments
	reading     *reading
	resolve     bool // department names of computers may be wanted
	now         func() time.Time

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

	mobilePath      = "/api/v2/mobile-devices/detail"
	departmentsPath = "/api/v1/departments"

	pageOfResults = "a page of results"
)

func (a *proAPI) lookup(ctx context.Context, ask query) (record, error) {
	if ask.of == posture.Computer {
		return a.computer(ctx, ask)
	}
	return a.mobile(ctx, ask)
}

func (a *proAPI) checkDepartments(ctx context.Context) error {
	if !a.resolve {
		return nil
	}
	_, err := a.client.Get(ctx, departmentsEndpoint, departmentsPath, url.Values{"page": {"0"}, "page-size": {"1"}})
	return err
}

// computers searches with the newest version of the endpoint that the server has.
func (a *proAPI) computers(ctx context.Context, ask query) (results []computerRecord, err error) {
	query := url.Values{
		"section": sectionsFor(a.reading.computers, ask.need),
		"filter":  {"hardware.serialNumber==" + quoteRSQL(ask.id.String())},
	}
	err = a.versioned(ctx, func(path string) error {
		results, err = search[computerRecord](ctx, a.client, computersEndpoint, path, query)
		return err
	})
	return results, err
}

// versioned asks at the path of the newest version of the computers endpoint that the server has. The only reason for a 404
// of a search is that the server lacks the version, so each 404 steps down by one.
func (a *proAPI) versioned(ctx context.Context, ask func(path string) error) error {
	version, err := a.startVersion(ctx)
	if err != nil {
		return err
	}
	for ; ; version-- {
		err := ask(fmt.Sprintf("/api/v%d/computers-inventory", version))
		switch {
		case err == nil:
			a.setVersion(version)
			return nil
		case !vendorhttp.HasStatus(err, computersEndpoint, http.StatusNotFound):
			return err
		case version == oldestComputers:
			// Not even the oldest: begin at the newest next time, the server may have been replaced.
			a.setVersion(0)
			return err
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
