package fleet_test

import (
	"bytes"
	"context"
	"regexp"
	"testing"
	"time"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/fleet"
	"step-posture-connector/internal/provider/fleet/fleettest"
	"step-posture-connector/internal/provider/providertest"
	"step-posture-connector/internal/provider/providertest/vendortest"
)

// lacks: Fleet keeps all types of devices together, and its newest record of a device counts.
const lacks = providertest.Duplicates

const lacksHTTP = providertest.Tokens | providertest.EndpointsOfTypes

func TestContract(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fleettest.Options, *fleet.Config){
		"policy":   func(_ *fleettest.Options, c *fleet.Config) { c.ReadFacts() },
		"enriched": func(o *fleettest.Options, _ *fleet.Config) { o.ContextPath, o.OldNames = "/a/fleet", true },
		"policy, not enrich": func(o *fleettest.Options, c *fleet.Config) {
			o.NewNames, c.Enrich, c.Group = true, false, "one"
			c.ReadFacts()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			providertest.Run(t, providertest.Harness{
				Open: func(t *testing.T, devices ...providertest.Device) providertest.Inventory {
					t.Helper()
					return service(t, 10*time.Second, change, devices).Inventory
				},
				Lacks: lacks,
			})
		})
	}
}

func TestContractOfFaults(t *testing.T) {
	t.Parallel()
	for endpoint, shapes := range map[string]map[string]vendortest.Fault{fleettest.Hosts: rowShapes(t), fleettest.Host: hostShapes(t)} {
		t.Run(endpoint, func(t *testing.T) {
			t.Parallel()
			providertest.RunHTTP(t, providertest.HTTPHarness{
				Open: func(t *testing.T, limit time.Duration, devices ...providertest.Device) providertest.Service {
					t.Helper()
					s := service(t, limit, func(*fleettest.Options, *fleet.Config) {}, devices)
					s.Lookup, s.List = []string{endpoint}, []string{fleettest.Hosts}
					return s
				},
				Shapes: shapes, Lacks: lacksHTTP, OverVendorhttp: true, Sibling: endpoint == fleettest.Host, ListPage: 512,
			})
		})
	}
}

// service opens a provider on a server of its own, which returns data.
func service(t *testing.T, limit time.Duration, change func(*fleettest.Options, *fleet.Config), devices []providertest.Device) providertest.Service {
	t.Helper()
	now := time.Now() // of every answer: a list and a lookup have the same times, also where a second passes between them
	o, c := fleettest.Options{Now: func() time.Time { return now }}, fleet.Config{Enrich: true}
	change(&o, &c)
	server := tolerant(t, o) // the suites ask for its violations
	replace := func(devices ...providertest.Device) {
		var records []fleettest.Device
		for _, d := range devices {
			records = append(records, asRecord(d))
		}
		server.Replace(records...)
	}
	replace(devices...)
	c.Timeout = config.Whole(limit / time.Second)
	return providertest.Service{
		Inventory: providertest.Inventory{
			Provider: opened(t, configured(server, c)), Replace: replace, Secrets: server.Secrets, Violations: server.Violations,
			Damage: func(identifier string) { server.Change(identifier, func(d *fleettest.Device) { d.Broken = true }) },
		},
		Server: server.Server,
		Lookup: []string{fleettest.Hosts},
	}
}

// dawn is a time of the day of the test that all records have in common.
func dawn() time.Duration { return time.Since(time.Now().Truncate(24 * time.Hour)) }

func asRecord(d providertest.Device) fleettest.Device {
	record := fleettest.Device{
		Serial: d.Identifier, Hostname: "host.local", EnrollmentStatus: "On (automatic)", Labels: d.Groups, Seen: dawn() + d.Seen,
		Policies: []fleettest.Policy{{Name: "FileVault on", Response: "pass"}}, Encrypted: new(true), Model: "Mac15,12",
		EndUsers: []fleettest.EndUser{{Username: "ana@example.com", FullName: "Ana Example", Department: "Platform", Groups: []string{"eng"}}},
	}
	if d.Type == posture.MobileDevice {
		record.Platform, record.OSVersion, record.Model = "ios", "iOS 18.5", "iPhone17,3"
	}
	if d.Unmanaged {
		record.EnrollmentStatus = "Off"
	}
	return record
}

// tolerant starts a server.
func tolerant(t *testing.T, o fleettest.Options) *fleettest.Server {
	t.Helper()
	server, err := fleettest.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	return server
}

// started starts a server. At the end of the test its violations are failures.
func started(t *testing.T, o fleettest.Options) *fleettest.Server {
	t.Helper()
	server := tolerant(t, o)
	t.Cleanup(func() {
		for _, violation := range server.Violations() {
			t.Errorf("violation: %s", violation)
		}
	})
	return server
}

// configured adds to a configuration how the server is reached.
func configured(server *fleettest.Server, c fleet.Config) fleet.Config {
	c.BaseURL, c.Token, c.RootCAs = server.BaseURL(), config.NewSecret([]byte(server.Token())), server.CertPool()
	if c.Timeout == 0 {
		c.Timeout = 10
	}
	return c
}

func opened(t *testing.T, c fleet.Config) *fleet.Provider {
	t.Helper()
	provider, err := fleet.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(provider.Close)
	return provider
}

const (
	serial = "C02XK1ABJHD2"
	ample  = time.Minute
)

func query(t *testing.T, serial string) posture.Query {
	t.Helper()
	id, err := posture.ParseIdentifier(serial)
	if err != nil {
		t.Fatal(err)
	}
	return posture.Query{Identifier: id, Type: posture.AnyDevice, Facts: posture.AllFacts() | posture.Document}
}

func lookup(t *testing.T, p posture.Provider, q posture.Query) (posture.Device, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), ample)
	defer cancel()
	return p.Lookup(ctx, q)
}

// editOf returns a fault that edits the body of an answer.
func editOf(t *testing.T) func(pattern, replacement string) vendortest.Fault {
	t.Helper()
	return func(pattern, replacement string) vendortest.Fault {
		form := regexp.MustCompile(pattern)
		return vendortest.Fault{Kind: vendortest.Edit, Change: func(body []byte) []byte {
			changed := form.ReplaceAll(body, []byte(replacement))
			if bytes.Equal(changed, body) {
				t.Errorf("the edit of %s fits no more", pattern)
			}
			return changed
		}}
	}
}

func body(text string) vendortest.Fault { return vendortest.Fault{Kind: vendortest.Answer, Body: text} }

// rowShapes are answers to a search for C02XK1ABJHD2 that look right and are not. Those that only lack the host are none: the
// search finds other hosts too.
func rowShapes(t *testing.T) map[string]vendortest.Fault {
	t.Helper()
	edit := editOf(t)
	return map[string]vendortest.Fault{
		"hosts null":                    body(`{"hosts":null}`),
		"no hosts":                      body(`{}`),
		"the members of a by-ID answer": body(`{"host":{"id":1,"hardware_serial":"C02XK1ABJHD2"}}`),
		"hosts an object":               body(`{"hosts":{}}`),
		"hosts a text":                  body(`{"hosts":""}`),
		"a host null":                   body(`{"hosts":[null]}`),
		"a host empty":                  body(`{"hosts":[{}]}`),
		"a host a text":                 body(`{"hosts":["C02XK1ABJHD2"]}`),
		"a host without ID":             edit(`"id":\d+,`, ``),
		"an ID of text":                 edit(`"id":(\d+),`, `"id":"$1",`),
		"an ID of zero":                 edit(`"id":\d+,`, `"id":0,`),
		"an ID with fraction":           edit(`"id":\d+,`, `"id":1.5,`),
		"a negative ID":                 edit(`"id":\d+,`, `"id":-1,`),
		"an ID of another":              edit(`"id":\d+,`, `"id":2,`),
		"members twice":                 body(`{"hosts":[],"hosts":[]}`),
		"text behind it":                body(`{"hosts":[]} {}`),
		"an error in a 200":             body(`{"error":"` + vendortest.Marker + `","hosts":null}`),
	}
}

// hostShapes are answers about the host by its ID that look right and are not.
func hostShapes(t *testing.T) map[string]vendortest.Fault {
	t.Helper()
	edit := editOf(t)
	return map[string]vendortest.Fault{
		"host null":            body(`{"host":null}`),
		"no host":              body(`{}`),
		"host a list":          body(`{"host":[]}`),
		"host empty":           body(`{"host":{}}`),
		"a list of hosts":      body(`{"hosts":[{"id":1,"hardware_serial":"C02XK1ABJHD2"}]}`),
		"another device":       edit(`"hardware_serial":"C02`, `"hardware_serial":"C03`),
		"longer serial number": edit(`"hardware_serial":"C02`, `"hardware_serial":"XC02`),
		"serial number null":   edit(`"hardware_serial":"[^"]*"`, `"hardware_serial":null`),
		"serial number empty":  edit(`"hardware_serial":"[^"]*"`, `"hardware_serial":""`),
		"no serial number":     edit(`"hardware_serial":"[^"]*",`, ``),
		"serial number a list": edit(`"hardware_serial":("[^"]*")`, `"hardware_serial":[$1]`),
		"another ID":           edit(`"id":1,("issues)`, `"id":7,$1`),
		"no ID":                edit(`"id":1,("issues)`, `$1`),
		"an ID of text":        edit(`"id":1,("issues)`, `"id":"1",$1`),
		"not found, as Fleet says it": {
			Kind: vendortest.Answer, Status: 404, Body: `{"message":"Resource Not Found","errors":[{"name":"base","reason":"` + vendortest.Marker + `"}]}`,
		},
	}
}
