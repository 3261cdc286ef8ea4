package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"step-posture-connector/internal/provider/jamf/jamftest"
)

// unencryptedEvery: every so many-th device is not encrypted, 2 %, and the policy refuses it.
const unencryptedEvery = 50

func (d device) unencrypted() bool { return d%unencryptedEvery == unencryptedEvery-1 }

// What the Macs of the simulated inventory have.
const (
	groupsEach     = 8
	groupNames     = 200
	attributesEach = 10
	attributeWords = 100
	departmentsOf  = 50
)

// mac is a Mac as an inventory has it: with all facts, groups and extension attributes.
func (d device) mac() jamftest.Device {
	n := int(d)
	made := jamftest.Device{
		Computer: true, Serial: d.identifier(), Name: fmt.Sprintf("mac-%d", n), Managed: new(true), Supervised: true,
		UDID: fmt.Sprintf("%08X-1234-4ABC-8DEF-%012X", n*scatter%maxDevices, n),
		User: jamftest.User{
			Username: fmt.Sprintf("user%d", n), RealName: fmt.Sprintf("Ana Example %d", n), Email: d.email(), Position: "Engineer",
			Department: fmt.Sprintf("Department %d", n%departmentsOf),
		},
		Details: jamftest.Details{OSVersion: fmt.Sprintf("15.%d.1", n%6), Encrypted: new(!d.unencrypted())},
	}
	for g := range groupsEach {
		made.Groups = append(made.Groups, jamftest.Group{Name: fmt.Sprintf("Group %d of the organization", (n+g*groupNames/groupsEach)%groupNames), Smart: g%2 == 0})
	}
	for a := range attributesEach {
		made.Details.Attributes = append(made.Details.Attributes, jamftest.Attribute{
			Name: fmt.Sprintf("Extension attribute %d", a), Values: []string{fmt.Sprintf("value %d of it", (n+a)%attributeWords)},
		})
	}
	return made
}

func devicesUpTo(count int) []device {
	all := make([]device, count)
	for i := range all {
		all[i] = device(i)
	}
	return all
}

// macs starts the Jamf Pro server with so many Macs. Each of its answers takes jamfDelay.
func (b *bench) macs(ctx context.Context, count int) (*fake, error) {
	devices := make([]jamftest.Device, count)
	for i := range devices {
		devices[i] = device(i).mac()
	}
	return b.fakeOf(ctx, jamftest.Options{Devices: devices, Delay: jamfDelay})
}

// encryptedOnly refuses 2 % of the Macs.
const encryptedOnly = `
    rules:
      - {name: encrypted, require: device.encrypted}
`

// mdm is a daemon that asks the Jamf Pro server, with a policy file.
type mdm struct {
	*target

	health string // address
}

// mdm starts it. The snapshot is the value of the key, or empty; rules are part of the policy.
func (b *bench) mdm(ctx context.Context, f *fake, name, snapshot, rules string) (*mdm, error) {
	secret, path := b.folder.file("jamf.secret"), b.folder.file(fmt.Sprintf("jamf_%d.yaml", b.started))
	if snapshot != "" {
		snapshot = "    snapshot: " + snapshot + "\n"
	}
	text := fmt.Sprintf("inventories:\n  jamf:\n    provider: jamf\n    base_url: https://%s\n    client_id: %s\n    client_secret: {file: %s}\n%s"+
		"policies:\n  default:\n    inventories: [jamf]\n    mode: computer%s", f.address, fakeClient, secret, snapshot, rules)
	if err := errors.Join(os.WriteFile(secret, []byte(fakeSecret), private), os.WriteFile(path, []byte(text), private)); err != nil {
		return nil, fmt.Errorf("write policy file: %w", err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return nil, fmt.Errorf("find a free port: %w", err)
	}
	m := &mdm{health: listener.Addr().String()}
	_ = listener.Close()
	_, port, _ := net.SplitHostPort(m.health)
	settings := map[string]string{"POLICY_PATH": path, "SSL_CERT_FILE": f.ca}
	if snapshot != "" {
		maps.Copy(settings, map[string]string{"HEALTH_ADDRESS": net.JoinHostPort(host, port)})
	}
	p, err := b.run(ctx, name, b.connector(settings))
	m.target = &target{process: p}
	return m, err
}

// fetchLimit is for the first fetch of a large list.
const fetchLimit = 5 * time.Minute

// The metrics of a snapshot.
const (
	fetchesMetric  = "step_posture_snapshot_fetches_total"
	durationMetric = "step_posture_snapshot_fetch_duration_seconds_sum"
)

// fetched waits until so many fetches were adopted.
func (m *mdm) fetched(ctx context.Context, count float64) error {
	ctx, cancel := context.WithTimeout(ctx, fetchLimit)
	defer cancel()
	for {
		switch adopted, err := m.metric(ctx, fetchesMetric, `result="adopted"`); {
		case err != nil:
			return err
		case adopted >= count:
			return nil
		}
		if err := pause(ctx, pollEvery*10); err != nil {
			return fmt.Errorf("wait for a fetch: %w\n%s", err, m.tail())
		}
	}
}

// metric returns the sum of the series of computers that have a label.
func (m *mdm) metric(ctx context.Context, name, label string) (sum float64, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+m.health+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: scrapeLimit}
	response, err := client.Do(request)
	if err != nil {
		return 0, fmt.Errorf("read metrics: %w", err)
	}
	defer response.Body.Close()
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		series, value, _ := strings.Cut(lines.Text(), " ")
		if !strings.HasPrefix(series, name+"{") || !strings.Contains(series, `list="computer"`) || !strings.Contains(series, label) {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("read metrics: %w", err)
		}
		sum += number
	}
	return sum, nil
}

// pages is how many requests for computers have arrived: pages of lists, and lookups.
func (r fakeReport) pages() (count int) {
	for _, endpoint := range slices.Sorted(maps.Keys(r.Counts)) {
		if strings.HasPrefix(endpoint, jamftest.Computers) {
			count += r.Counts[endpoint]
		}
	}
	return count
}
