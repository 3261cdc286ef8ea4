package jamf

import (
	"context"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
)

// classicAPI is the Classic API, for servers that are too old for the other one.
// https://developer.jamf.com/jamf-pro/reference/classic-api
type classicAPI struct {
	client *vendorhttp.Client
	now    func() time.Time
	proved atomic.Bool // the base URL has answered as a Jamf Pro server does
}

const (
	classicComputers = "JSSResource/computers"
	classicMobile    = "JSSResource/mobiledevices"
)

// lookup asks for the whole record, whatever is read of it. Fail closed: a server that does not know one of the API's
// subsets answers 404, which would look like a device that does not exist.
func (a *classicAPI) lookup(ctx context.Context, ask query) (record, error) {
	endpoint := classicMobile
	if ask.of == posture.Computer {
		endpoint = classicComputers
	}
	body, err := a.client.Get(ctx, endpoint, "/"+endpoint+"/serialnumber/"+url.PathEscape(ask.id.String()), nil)
	if vendorhttp.HasStatus(err, endpoint, http.StatusNotFound) {
		// A 404 means that the device does not exist, but a wrong base URL looks the same.
		if err := a.prove(ctx); err != nil {
			return record{}, err
		}
		return record{}, posture.ErrNotFound
	}
	if err != nil {
		return record{}, err
	}
	found, err := a.decode(body, endpoint, ask.of)
	if err != nil {
		return record{}, err
	}
	a.proved.Store(true)
	return only(a.client, ask.id, []record{found})
}

// checkDepartments has nothing to check: the Classic API returns names.
func (a *classicAPI) checkDepartments(context.Context) error { return nil }

// prove makes sure that a Jamf Pro server answers at the base URL.
func (a *classicAPI) prove(ctx context.Context) error {
	if a.proved.Load() {
		return nil
	}
	if _, err := serverVersionOf(ctx, a.client); err != nil {
		return err
	}
	a.proved.Store(true)
	return nil
}
