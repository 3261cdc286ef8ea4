package jamf

import (
	"context"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/provider/flight"
	"step-posture-connector/internal/provider/vendorhttp"
)

const departmentsEndpoint = "departments"

// departments turns department IDs into names, which the computers endpoint does not have. No name is
// remembered: it goes into a certificate, and may have changed.
type departments struct {
	provider *Provider
	flight   flight.Group[string, string]

	mu        sync.Mutex
	forbidden time.Time // when the privilege was found to be missing
}

// name returns the name of a department, or "" where it has none or the request fails: a fault here costs only
// this field.
func (d *departments) name(ctx context.Context, id string) string {
	if !regexp.MustCompile(`^[0-9]{1,12}$`).MatchString(id) || d.areForbidden() {
		return ""
	}
	// The rest of the time is for the answer about the device, which lacks only this.
	limit := departmentTimeout
	if deadline, ok := flight.Deadline(ctx); ok {
		limit = min(limit, time.Until(deadline)-vendorhttp.LeastTime)
	}
	if limit <= 0 {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name, err := d.flight.Do(ctx, id, func(ctx context.Context) (string, error) { return d.fetch(ctx, id) })
	if err != nil {
		return ""
	}
	return name
}

// areForbidden reports whether the API client lacked the privilege a moment ago. To ask again would double the
// requests.
func (d *departments) areForbidden() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.provider.now().Sub(d.forbidden) < privilegeMemory
}

// fetch asks for the name.
// https://developer.jamf.com/jamf-pro/reference/get_v1-departments-id
func (d *departments) fetch(ctx context.Context, id string) (string, error) {
	body, err := d.provider.Get(ctx, departmentsEndpoint, "/api/v1/departments/"+url.PathEscape(id), nil)
	if err != nil {
		if isForbidden(err) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.forbidden = d.provider.now()
		}
		return "", err
	}
	var answer struct {
		Name text `json:"name"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return "", d.provider.Other()
	}
	return string(answer.Name), nil
}
