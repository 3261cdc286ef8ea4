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
	flight   flight.Group[string, text]

	mu        sync.Mutex
	forbidden time.Time // when the privilege was found to be missing
	refusal   error     // what was answered then
}

func isDepartment(id string) bool { return regexp.MustCompile(`^[0-9]{1,12}$`).MatchString(id) }

// name returns the name of a department, or none where it has none or the request fails: a fault here costs only
// this field.
func (d *departments) name(ctx context.Context, id string) text {
	if !isDepartment(id) || d.missingPrivilege() != nil {
		return text{}
	}
	// The rest of the time is for the answer about the device, which lacks only this.
	limit := departmentTimeout
	if deadline, ok := flight.Deadline(ctx); ok {
		limit = min(limit, time.Until(deadline)-vendorhttp.LeastTime)
	}
	if limit <= 0 {
		return text{}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	name, err := d.fetch(ctx, id)
	if err != nil {
		return text{}
	}
	return name
}

// mustName returns the name of a department that a policy reads, or "" where the computer has none. Fail closed: a request
// that fails is an error, also where Jamf answers that there is no such department: the device's record says that there is.
func (d *departments) mustName(ctx context.Context, id string) (string, error) {
	if !isDepartment(id) {
		return "", nil
	}
	if err := d.missingPrivilege(); err != nil {
		return "", err
	}
	name, err := d.fetch(ctx, id)
	return name.Said(), err
}

// missingPrivilege is the answer to an API client that lacked the privilege a moment ago. To ask again would double the
// requests.
func (d *departments) missingPrivilege() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.provider.now().Sub(d.forbidden) < privilegeMemory {
		return d.refusal
	}
	return nil
}

// fetch asks for the name; several that want the same one ask once.
// https://developer.jamf.com/jamf-pro/reference/get_v1-departments-id
func (d *departments) fetch(ctx context.Context, id string) (text, error) {
	return d.flight.Do(ctx, id, func(ctx context.Context) (text, error) {
		body, err := d.provider.Get(ctx, departmentsEndpoint, departmentsPath+"/"+url.PathEscape(id), nil)
		if err != nil {
			if isForbidden(err) {
				d.mu.Lock()
				defer d.mu.Unlock()
				d.forbidden, d.refusal = d.provider.now(), err
			}
			return text{}, err
		}
		var answer struct {
			Name text `json:"name"`
		}
		if json.Unmarshal(body, &answer) != nil {
			return text{}, d.provider.Other()
		}
		return answer.Name, nil
	})
}
