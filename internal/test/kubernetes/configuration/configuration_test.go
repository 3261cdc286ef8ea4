package configuration_test

import (
	"crypto/rand"
	"encoding/base64"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// A setup is an overlay with the components that are added to it.
type setup struct {
	overlay    string
	components []string
	// listeners are the variables with an address, and the named port of the container that each stands for.
	listeners map[string]string
	// warns are beginnings of the warnings that "check" gives.
	warns []string
}

func (s setup) String() string {
	return strings.Join(append([]string{s.overlay}, s.components...), "+")
}

// setups are the combinations that the documents name; TestEveryFolder wants each overlay and component in one of them.
func setups() []setup {
	health := map[string]string{"HEALTH_ADDRESS": "health"}
	with := func(variable, port string) map[string]string {
		return map[string]string{"HEALTH_ADDRESS": "health", variable: port}
	}
	return []setup{
		{overlay: "file", listeners: health},
		{overlay: "file", components: []string{"step-renewer"}, listeners: health},
		{overlay: "file", components: []string{"postgresql"}, listeners: health},
		{overlay: "file", components: []string{"postgresql", "console"}, listeners: with("CONSOLE_ADDRESS", "console")},
		{overlay: "jamf", listeners: health},
		{overlay: "jamf", components: []string{"postgresql", "console"}, listeners: with("CONSOLE_ADDRESS", "console")},
		{overlay: "doors", listeners: with("DOOR_ADDRESS", "door")},
		{overlay: "doors", components: []string{"internet"}, listeners: with("DOOR_ADDRESS", "door")},
		{
			overlay: "mdmsecuritydemo", listeners: with("API_ADDRESS", "queries"),
			// Both are those of the demo itself; docs/mdmsecuritydemo.md says how to close them.
			warns: []string{"WEBHOOK_IDS is not set", "FILE_TYPE is lines"},
		},
	}
}

// own makes what the README has people make: the secrets and certificates of an installation.
func own(t *testing.T) given {
	t.Helper()
	devices, callers := newAuthority(t, "Devices"), newAuthority(t, "Servers")
	chain, key := devices.server(t, "step-posture-connector.step-posture-connector.svc.cluster.local")
	pair := map[string]string{"tls.crt": chain, "tls.key": key, "ca.crt": encode(devices.root)}
	secret := make([]byte, 64)
	rand.Read(secret)
	hash, err := bcrypt.GenerateFromPassword([]byte(rand.Text()), 12)
	if err != nil {
		t.Fatal(err)
	}
	state := "sqlite:" + filepath.Join(t.TempDir(), "state.db") // a PostgreSQL in a cluster: the manifests say only where its URL is
	return given{
		"step-posture-connector-tls":     pair,
		"step-posture-connector-ca":      {"root_ca.crt": encode(devices.root), "intermediate_ca.crt": encode(devices.intermediate)},
		"step-posture-connector-webhook": {"ids": "3f0c6c1e-1f6e-4a52-9d33-000000000001", "secrets": base64.StdEncoding.EncodeToString(secret)},
		"step-posture-connector-jamf":    {"client_secret": rand.Text()},
		"step-posture-connector-callers": {"callers_ca.crt": encode(callers.root)},
		"step-posture-connector-state":   {"url": state},
		"step-posture-connector-console": {"users": "ada:" + string(hash)},
		// Of mdmsecuritydemo.
		"webhook-tls":             pair,
		"inventory":               {"inventory.txt": "C02XK1JKLVCG\n"},
		"dynamicacme-api-key":     {"password": rand.Text()},
		"webhook-key":             {"password": rand.Text()},
		"deviceinventory-api-key": {"password": rand.Text()},
	}
}

// make builds the pod of a setup. A Jamf Pro server is simulated; its address is all that differs from the policy file.
func (s setup) make(t *testing.T, fault *strings.Replacer) (rendered, pod, []string) {
	t.Helper()
	r, mine := render(t, s.overlay, s.components...), own(t)
	var changes []string
	if s.overlay == "jamf" {
		const client, published = "00000000-0000-4000-8000-000000000000", "https://example.jamfcloud.com"
		address, ca := startJamf(t, client, mine["step-posture-connector-jamf"]["client_secret"])
		changes = []string{"SSL_CERT_FILE", ca}
		policy := r.configMaps["step-posture-connector-policy"]
		if !strings.Contains(policy["posture.yaml"], published) {
			t.Fatalf("the policy file does not name %s", published)
		}
		policy["posture.yaml"] = strings.ReplaceAll(policy["posture.yaml"], published, address)
	}
	return r, r.place(t, mine, fault), changes
}

// TestAccepted: "check" of the program finds nothing wrong with variables and files.
func TestAccepted(t *testing.T) {
	t.Parallel()
	for _, s := range setups() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			_, p, changes := s.make(t, nil)
			code, output := p.check(t, changes...)
			lines := strings.Split(strings.TrimSpace(output), "\n")
			if code != 0 || !strings.HasPrefix(lines[len(lines)-1], "ok") {
				t.Errorf("check = %d, want 0 and ok", code)
			}
			var warnings []string
			for _, line := range lines {
				if rest, is := strings.CutPrefix(line, "warning: "); is {
					warnings = append(warnings, rest)
				}
			}
			if !slices.EqualFunc(warnings, s.warns, strings.HasPrefix) {
				t.Errorf("check warns of %q, want of %q", warnings, s.warns)
			}
			if t.Failed() {
				t.Log(output)
			}
		})
	}
}

// TestFaultIsFound: the check reads what was rendered, so a fault there is one of the program.
func TestFaultIsFound(t *testing.T) {
	t.Parallel()
	for _, s := range setups() {
		if len(s.components) > 0 || s.overlay == "mdmsecuritydemo" { // which has no policy file
			continue
		}
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			_, p, changes := s.make(t, strings.NewReplacer("policies:", "polices:"))
			if code, output := p.check(t, changes...); code == 0 || !strings.Contains(output, "polices") {
				t.Errorf("check = %d, want a failure that names polices\n%s", code, output)
			}
		})
	}
}

// TestStarts: the program starts with them, is ready, and each port of the container is one that it listens on.
func TestStarts(t *testing.T) {
	t.Parallel()
	for _, s := range setups() {
		t.Run(s.String(), func(t *testing.T) {
			t.Parallel()
			r, p, changes := s.make(t, nil)
			webhooks := freeAddress(t)
			host, port, _ := net.SplitHostPort(webhooks)
			changes = append(changes, "BIND_ADDRESS", host, "PORT", port)
			if want := r.port(t, "https"); want != "9443" || p.environ["PORT"] != "" {
				t.Errorf("the port https is %s, and PORT is %q; want 9443, its default", want, p.environ["PORT"])
			}
			addresses := []string{webhooks}
			health := ""
			for variable, name := range s.listeners {
				if want := ":" + r.port(t, name); p.environ[variable] != want {
					t.Errorf("%s = %q, and the port %s of the container is %s", variable, p.environ[variable], name, want)
				}
				address := freeAddress(t)
				changes = append(changes, variable, address)
				addresses = append(addresses, address)
				if name == "health" {
					health = address
				}
			}
			if got, want := len(r.connector(t).Ports), len(addresses); got != want {
				t.Errorf("the container has %d ports, want %d", got, want)
			}
			log := new(output)
			daemon := p.command(t, p.list(changes...), r.connector(t).Args...)
			daemon.Stdout, daemon.Stderr = log, log
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- daemon.Wait() }()
			await(t, "/readyz ok", log, ended, func() bool {
				status, text := get(t, health, "/readyz")
				return status == 200 && strings.Contains(text, `"status":"ok"`)
			})
			for _, address := range addresses {
				connection, err := new(net.Dialer).DialContext(t.Context(), "tcp", address)
				if err != nil {
					t.Errorf("%v\n%s", err, log)
					continue
				}
				_ = connection.Close()
			}
			if err := daemon.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if err := <-ended; err != nil {
				t.Errorf("it ends with %v, want status 0\n%s", err, log)
			}
		})
	}
}

// TestEveryFolder: no overlay and no component is left out above.
func TestEveryFolder(t *testing.T) {
	t.Parallel()
	for _, overlay := range folders(t, "overlays") {
		if !slices.ContainsFunc(setups(), func(s setup) bool { return s.overlay == overlay }) {
			t.Errorf("the overlay %s is in no setup", overlay)
		}
	}
	for _, component := range folders(t, "components") {
		// The overlays have these.
		if slices.Contains([]string{"cert-manager", "monitoring"}, component) {
			continue
		}
		if !slices.ContainsFunc(setups(), func(s setup) bool { return slices.Contains(s.components, component) }) {
			t.Errorf("the component %s is in no setup", component)
		}
	}
}
