// Package intune is the inventory of Microsoft Intune, asked through Microsoft Graph.
package intune

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// Provider asks one tenant.
type Provider struct {
	*vendorhttp.Client
	config Config
	reader vendorhttp.Reader
	cert   *certificate // nil with a secret
	// linked are the hosts that links to a next page may name.
	linked []string
	// login names the setting that decides where tokens are asked for.
	login string
	now   func() time.Time

	groupFacts, userFacts posture.FactSet
}

const (
	devicesEndpoint = "managed devices"
	tokenEndpoint   = "token endpoint" // as vendorhttp names it
	groupsEndpoint  = "groups of a device"
	userEndpoint    = "user"

	devicesPath = "/v1.0/deviceManagement/managedDevices"
	devicesList = "a list of managed devices"
)

// Open makes the provider, as New does.
func Open(c Config) (posture.Provider, []string, error) {
	p, err := New(c)
	if err != nil {
		return nil, nil, err
	}
	var warnings []string
	if p.cert != nil && expired(p.cert.of, p.now()) {
		// No error: the daemon may have other inventories, and a copy of this one.
		warnings = append(warnings, "INTUNE_CERT_PATH: the certificate has expired; lookups will not be answered")
	}
	if p.cert != nil && config.ReadableByAll(string(c.KeyPath)) {
		warnings = append(warnings, "INTUNE_KEY_PATH: every user of this machine can read the private key; chmod 600, or 640 with a group of its own")
	}
	if bool(c.GraceIsCompliant) && !bool(c.RequireCompliant) && !c.facts {
		warnings = append(warnings, "INTUNE_GRACE_IS_COMPLIANT is 1 and INTUNE_REQUIRE_COMPLIANT is not: nothing requires that a device is compliant")
	}
	return p, warnings, nil
}

// New makes the provider. It does not contact the servers; Check does.
func New(c Config) (*Provider, error) {
	login, graph, err := c.hosts()
	if err != nil {
		return nil, err
	}
	p := &Provider{
		config: c, now: time.Now, login: "INTUNE_CLOUD",
		groupFacts: posture.MustFacts("device.groups"), userFacts: posture.MustFacts("user.position", "user.department"),
		reader: vendorhttp.Reader{Policy: c.facts, Required: c.Requirements().Facts(), Enriches: bool(c.Enrich)},
	}
	if !c.ClientSecret.IsSet() {
		cert, wrong := readCertificate(c.CertPath, c.KeyPath)
		if wrong != nil {
			return nil, config.Problems{*wrong}
		}
		p.cert = cert
	}
	graphSetting := "INTUNE_CLOUD"
	if c.GraphURL != "" {
		graphSetting = "INTUNE_GRAPH_URL"
	}
	if c.LoginURL != "" {
		p.login = "INTUNE_LOGIN_URL"
	}
	p.linked = []string{graph.Host, strings.TrimPrefix(cloudOf(c.Cloud).graph, "https://")}
	p.Client = vendorhttp.New(vendorhttp.Options{
		Vendor: vendorhttp.Vendor{Name: "Intune", Server: "Microsoft Graph", Variable: graphSetting},
		Base:   graph, Timeout: c.Timeout.Seconds(), RootCAs: c.RootCAs, Hint: p.hint,
		AtOnce: maxRequests, Rate: requestsPerSecond, Burst: burst, Lockout: lockout,
		Auth: p.credentials(login, p.cert),
		Now:  func() time.Time { return p.now() },
	})
	return p, nil
}

func problemOf(variable string, err error) error { return fmt.Errorf("%s: %w", variable, err) }

// hint names the permission that is missing, and the setting where it is the token endpoint that is wrong.
func (p *Provider) hint(endpoint string, status int) string {
	switch {
	case endpoint != tokenEndpoint:
	case status == http.StatusNotFound:
		return "the server has no token endpoint there; check " + p.login
	case status >= 300 && status < 400:
		return "the server redirects, and redirects are not followed; check " + p.login
	}
	permission := permissionOf(endpoint)
	if status != http.StatusForbidden || permission == "" {
		return ""
	}
	text := "the application lacks the permission " + permission + " with admin consent"
	if endpoint == devicesEndpoint {
		text += ", or the tenant has no Intune license"
	}
	return text
}

// permissionOf is the application permission that an endpoint needs.
func permissionOf(endpoint string) string {
	switch endpoint {
	case devicesEndpoint:
		return "DeviceManagementManagedDevices.Read.All"
	case groupsEndpoint:
		return "Device.Read.All"
	case userEndpoint:
		return "User.Read.All"
	}
	return ""
}

// outdated reports whether a new token may be accepted, because consent may have been given since this one was issued.
func (p *Provider) outdated(why *vendorhttp.Fault, issued time.Time) bool {
	return why.Status == http.StatusForbidden && permissionOf(why.Endpoint) != "" && p.now().Sub(issued) >= permissionMemory
}

// Lookup implements posture.Provider. Concurrent lookups of the same device are one, where they read the same facts.
func (p *Provider) Lookup(ctx context.Context, q posture.Query) (posture.Device, error) {
	return p.Join(ctx, q, func(ctx context.Context) (posture.Device, error) {
		found, err := p.search(ctx, q.Identifier)
		if err != nil {
			return posture.Device{}, p.namesLogin(err)
		}
		// Graph compares whole serial numbers. Fail closed: a page of other devices means that it has ignored the filter, as
		// it does with those that it does not support, and then it says nothing about this device.
		r, device, err := vendorhttp.Newest(p.Client, q, vendorhttp.Exact, found, p.device)
		if err != nil {
			return posture.Device{}, err
		}
		if err := p.complete(ctx, r, &device, p.reader.Wanted(q)); err != nil {
			return posture.Device{}, err
		}
		if bool(p.config.Enrich) && q.Facts.Has(posture.Document) {
			if device.Data, err = document(device); err != nil {
				return posture.Device{}, err
			}
		}
		return device, nil
	})
}

// search asks for the records with a serial number.
func (p *Provider) search(ctx context.Context, id posture.Identifier) ([]vendorjson.Record[record], error) {
	page, err := p.page(ctx, url.Values{
		// In a text of OData a quote is written twice.
		"$filter": {"serialNumber eq '" + strings.ReplaceAll(id.String(), "'", "''") + "'"},
		"$select": {strings.Join(properties(), ",")},
	})
	if err != nil {
		return nil, err
	}
	if !page.Next.Missing() {
		// Fail closed: the answer is not complete, and no serial number has as many records. The filter was ignored.
		return nil, errors.New(devicesEndpoint + ": the search for a serial number has more than one page of records")
	}
	return *page.Value, nil
}

// page is one page of managed devices.
type page struct {
	Value *[]vendorjson.Record[record] `json:"value"`
	Next  vendorjson.Text              `json:"@odata.nextLink"`
}

// page asks for a page of managed devices.
func (p *Provider) page(ctx context.Context, query url.Values) (got page, err error) {
	body, err := p.Get(ctx, devicesEndpoint, devicesPath, query)
	if err != nil {
		return page{}, err
	}
	if err := p.Decode(devicesEndpoint, devicesList, body, &got); err != nil {
		return page{}, err
	}
	if got.Value == nil {
		return page{}, p.NotA(devicesEndpoint, devicesList)
	}
	return got, nil
}

// next returns the path and the query of a link to a next page. It is asked for at the host that all requests go to. Fail
// closed: a link elsewhere is a fault, and never the end of a list.
func (p *Provider) next(endpoint string, link vendorjson.Text) (path string, query url.Values, err error) {
	u, err := url.Parse(link.Said())
	if err != nil || u.Scheme != "https" || (u.Host != p.linked[0] && u.Host != p.linked[1]) || u.User != nil || u.Fragment != "" {
		return "", nil, errors.New(endpoint + ": the link to the next page leads to another host")
	}
	if query, err = url.ParseQuery(u.RawQuery); err != nil || len(query) == 0 {
		return "", nil, errors.New(endpoint + ": the link to the next page cannot be read")
	}
	base, err := url.Parse(p.Server())
	if err != nil {
		return "", nil, errors.New(endpoint + ": the link to the next page cannot be compared")
	}
	path = u.EscapedPath()
	if u.Host == base.Host {
		path = strings.TrimPrefix(path, base.EscapedPath())
	}
	return path, query, nil
}

// Returns says which data about devices go to step-ca.
func (p *Provider) Returns(posture.DeviceType) string {
	if p.config.Enrich {
		return "device, user and group data is returned"
	}
	return "no data is returned"
}
