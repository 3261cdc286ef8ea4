package jamf

import (
	"context"
	"net/url"
	"regexp"
	"sync"
	"time"

	"github.com/go-json-experiment/json"

	"step-posture-connector/internal/provider/flight"
)

const (
	departmentTimeout = 2 * time.Second // a name is not worth a refusal for want of time
	departmentMemory  = 10 * time.Minute
	faultMemory       = 10 * time.Second // so that a missing privilege does not double the requests
	maxDepartments    = 10_000

	departmentsEndpoint = "departments"
)

// departments turns department IDs into names, which the computers endpoint does not have. Names are
// remembered for some minutes: no decision depends on them.
type departments struct {
	client *client
	flight flight.Group[string, string]

	mu    sync.Mutex
	known map[string]department
}

type department struct {
	name  string
	until time.Time
}

func newDepartments(c *client) *departments {
	return &departments{client: c, known: map[string]department{}}
}

// name returns the name of a department, or nothing when there is none or it cannot be had: whatever
// goes wrong here costs only this field.
func (d *departments) name(ctx context.Context, id string) string {
	if !regexp.MustCompile(`^[0-9]{1,12}$`).MatchString(id) {
		return ""
	}
	d.mu.Lock()
	known, ok := d.known[id]
	d.mu.Unlock()
	if ok && time.Now().Before(known.until) {
		return known.name
	}
	ctx, cancel := context.WithTimeout(ctx, departmentTimeout)
	defer cancel()
	name, err := d.flight.Do(ctx, id, func(ctx context.Context) (string, error) { return d.fetch(ctx, id) })
	memory := departmentMemory
	if err != nil {
		memory = faultMemory
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.known) >= maxDepartments {
		clear(d.known)
	}
	d.known[id] = department{name, time.Now().Add(memory)}
	return name
}

// fetch asks for the name.
// https://developer.jamf.com/jamf-pro/reference/get_v1-departments-id
func (d *departments) fetch(ctx context.Context, id string) (string, error) {
	body, err := d.client.get(ctx, departmentsEndpoint, "/api/v1/departments/"+url.PathEscape(id), nil)
	if err != nil {
		return "", err
	}
	var answer struct {
		Name text `json:"name"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return "", errNotJamf
	}
	return string(answer.Name), nil
}
