package apple

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// The endpoints, as errors name them.
const (
	devicesEndpoint = "orgDevices"
	serverEndpoint  = "assignedServer"
)

const devicesPath = "/v1/orgDevices"

func devicePath(id posture.Identifier) string { return devicesPath + "/" + url.PathEscape(id.Key()) }

func deviceFields() url.Values {
	return url.Values{"fields[orgDevices]": {"serialNumber,status,productFamily,productType,deviceModel,orderNumber,partNumber," +
		"purchaseSourceType,purchaseSourceId,addedToOrgDateTime,releasedFromOrgDateTime,mdmMigrationStatus"}}
}

// ask asks for one resource. It returns nil where Apple says that there is no such resource.
func (p *Provider) ask(ctx context.Context, endpoint, path string, query url.Values) ([]byte, error) {
	answer, err := p.Exchange(ctx, vendorhttp.Request{Endpoint: endpoint, Method: http.MethodGet, Path: path, Query: query})
	switch {
	case err != nil:
		return nil, err
	case answer.Status == http.StatusOK:
		return answer.Body, nil
	case answer.Status == http.StatusNotFound && p.isMissing(endpoint, answer.Body):
		return nil, nil
	}
	fault := &vendorhttp.Fault{Endpoint: endpoint, Status: answer.Status}
	if text := hint(endpoint, answer.Status); text != "" {
		return nil, fmt.Errorf("%w: %s", fault, text)
	}
	return nil, fault
}

// isMissing reports whether the body of a 404 is Apple's own word that there is no such resource. Fail closed: a proxy, a wrong
// host and a path that does not exist answer 404 too, and say nothing about the device.
func (p *Provider) isMissing(endpoint string, body []byte) bool {
	var document struct {
		Errors []vendorjson.Record[struct {
			Code   vendorjson.Text `json:"code"`
			Status vendorjson.Text `json:"status"`
		}] `json:"errors"`
	}
	if p.Decode(endpoint, "an error document", body, &document) != nil || len(document.Errors) == 0 {
		return false
	}
	first := document.Errors[0].Value
	return strings.HasPrefix(first.Code.Said(), "NOT_FOUND") && (first.Status.Missing() || first.Status.Any == "404")
}
