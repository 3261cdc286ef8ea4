package e2e_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"step-posture-connector/internal/test/e2e/device"
	"step-posture-connector/internal/test/e2e/process"
	"step-posture-connector/internal/test/e2e/stepca"
	"step-posture-connector/internal/test/e2e/toolchain"
)

// guideTimeout bounds the whole guide, which takes some seconds.
const guideTimeout = 2 * time.Minute

// guidePrologue precedes the guide's commands: the first failure stops the script, and
// the guide's daemons never outlive it.
const guidePrologue = `set -eu
trap 'for pid in ${CONNECTOR_PID:-} ${CA_PID:-}; do kill "$pid" 2>/dev/null || :; done; wait' EXIT
trap 'exit 1' INT TERM
`

// guideInterlude precedes the guide's last commands, which stop the daemons: it makes the
// CA trust simulated devices, and waits until they have ordered.
const guideInterlude = `step ca provisioner update devices --attestation-roots simulated.crt \
  --admin-subject step --admin-provisioner admin --admin-password-file password.txt
echo READY
until [ -e ordered ]; do sleep 0.1; done
`

// TestSetupGuide runs the commands of docs/setup.md, literally and in order; then a known
// and an unknown device order from the resulting CA.
func TestSetupGuide(t *testing.T) {
	programs := buildPrograms(t)
	maker, err := device.NewManufacturer()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "simulated.crt"), string(maker.RootPEM()))
	blocks := shellBlocks(t, filepath.Join(programs.Repository(), "docs", "setup.md"))
	last := len(blocks) - 1
	script := guidePrologue + strings.Join(blocks[:last], "") + guideInterlude + blocks[last]
	writeFile(t, filepath.Join(dir, "setup.sh"), script)

	ctx, cancel := context.WithTimeout(t.Context(), guideTimeout)
	defer cancel()
	port, guide := startGuide(ctx, t, programs, dir)
	err = guide.Await(ctx, func(context.Context) error {
		if !strings.Contains(guide.Output(), "READY\n") {
			return errors.New("the guide has not printed READY")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(dir, "connector.log"))
	if want := "listening on 127.0.0.1:"; err != nil || !strings.Contains(string(log), want) {
		t.Errorf("the connector's log has no %q, so it listens on other interfaces than the guide says (%v):\n%s", want, err, log)
	}
	orderAsDevices(t, maker, dir, "https://localhost:"+strconv.Itoa(port))
	writeFile(t, filepath.Join(dir, "ordered"), "")
	if err := guide.Wait(ctx); err != nil {
		t.Errorf("the guide ended with %v", err)
	}
}

// startGuide runs setup.sh with the programs on its PATH and with free ports, which the
// guide reads from the environment. It returns the port of the CA.
func startGuide(ctx context.Context, t *testing.T, programs toolchain.Toolchain, dir string) (int, *process.Process) {
	t.Helper()
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Fatal(err)
	}
	caPort, err := process.FreePort(ctx)
	if err != nil {
		t.Fatal(err)
	}
	connectorPort, err := process.FreePort(ctx)
	if err != nil {
		t.Fatal(err)
	}
	guide, err := process.Start(ctx, process.Spec{
		Path: shell,
		Args: []string{"setup.sh"},
		Dir:  dir,
		Env: []string{
			"PATH=" + programs.Dir() + string(os.PathListSeparator) + os.Getenv("PATH"),
			"PWD=" + dir, "HOME=" + dir,
			"CA_PORT=" + strconv.Itoa(caPort), "CONNECTOR_PORT=" + strconv.Itoa(connectorPort),
			"HEALTH_ADDRESS=off",
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = guide.Stop() // The test has reported a failing run.
		if t.Failed() {
			for _, name := range []string{"step-ca.log", "connector.log"} {
				log, err := os.ReadFile(filepath.Join(dir, name))
				t.Logf("%s (%v):\n%s", name, err, log)
			}
		}
	})
	return caPort, guide
}

// orderAsDevices orders as the device in the guide's inventory, and as another one.
func orderAsDevices(t *testing.T, maker *device.Manufacturer, dir, url string) {
	t.Helper()
	client, err := stepca.ClientOf(filepath.Join(dir, "step", "certs", "root_ca.crt"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdleConnections)
	l := &lab{client: client, maker: maker}
	directory := url + "/acme/devices/directory"

	cert, err := finalize(t, l.order(t, directory, "C02EXAMPLE01"))
	if err != nil {
		t.Fatalf("Finalize() = %v, want a certificate", err)
	}
	if got, want := cert.Subject.String(), "CN=C02EXAMPLE01,OU=Design"; got != want {
		t.Errorf("subject = %s, want %s", got, want)
	}
	if got, want := strings.Join(cert.EmailAddresses, ","), "ada@example.com"; got != want {
		t.Errorf("e-mail addresses = %s, want %s", got, want)
	}
	if got, want := cert.NotAfter.Sub(cert.NotBefore).Round(time.Hour), 168*time.Hour; got != want {
		t.Errorf("lifetime = %v, want %v", got, want)
	}
	cert, err = finalize(t, l.order(t, directory, unknownSerial))
	expectProblem(t, cert, err, 401, "urn:ietf:params:acme:error:unauthorized")
}

// shellBlocks returns the ```sh blocks of a document.
func shellBlocks(t *testing.T, path string) []string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	for _, match := range regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindAllSubmatch(data, -1) {
		blocks = append(blocks, string(match[1]))
	}
	if len(blocks) < 2 {
		t.Fatalf("%s has %d blocks of commands, want several", path, len(blocks))
	}
	return blocks
}

func writeFile(t testing.TB, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
