package radius

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/process"
)

// The attributes of an answer that tests read. eapol_test prints them as hexadecimal digits, except text and numbers.
const (
	VLAN           = "Tunnel-Private-Group-Id"
	TunnelType     = "Tunnel-Type"
	TunnelMedium   = "Tunnel-Medium-Type"
	SessionTimeout = "Session-Timeout"
	Termination    = "Termination-Action"
	ReplyMessage   = "Reply-Message"
)

// Login is one attempt of a device to connect.
type Login struct {
	Device doors.Credential
	TLS13  bool   // with TLS 1.3 only, and otherwise with TLS 1.2 only
	MAC    string // of the device; empty is any
	SSID   string // empty is any
	// Again is how often the device connects again after that, with its session where the server resumes it.
	Again int
	// Lines replace those that make it EAP-TLS, in the form of wpa_supplicant.conf.
	Lines []string
}

// Result is what the access point was told in the end.
type Result struct {
	Accepted bool
	// Attributes of the last packet, by name. Text is as it is, and everything else in hexadecimal digits.
	Attributes map[string][]string
	Output     string // of eapol_test
}

// Login connects a device. A refusal is no error.
func (s *Server) Login(ctx context.Context, login Login) (Result, error) {
	name := "device-" + rand.Text()
	text := func(file string) string { return `"` + file + `"` }
	lines := login.Lines
	if lines == nil {
		if err := s.folder.Copy(name+".crt", login.Device.Certificate); err != nil {
			return Result{}, err
		}
		if err := s.folder.Copy(name+".key", login.Device.Key); err != nil {
			return Result{}, err
		}
		versions := "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=0 tls_disable_tlsv1_3=1"
		if login.TLS13 {
			versions = "tls_disable_tlsv1_0=1 tls_disable_tlsv1_1=1 tls_disable_tlsv1_2=1 tls_disable_tlsv1_3=0"
		}
		lines = []string{
			"eap=TLS", "client_cert=" + text(s.folder.Path(name+".crt")), "private_key=" + text(s.folder.Path(name+".key")),
			"phase1=" + text(versions),
		}
	}
	lines = append([]string{"key_mgmt=WPA-EAP", `identity="anything"`, "ca_cert=" + text(s.folder.Path("root.crt"))}, lines...)
	if err := s.folder.Write(name+".conf", []byte("network={\n"+strings.Join(lines, "\n")+"\n}\n")); err != nil {
		return Result{}, err
	}
	args := []string{
		"-c", s.folder.Path(name + ".conf"), "-a", "127.0.0.1", "-p", strconv.Itoa(s.port), "-s", s.secret,
		// How many seconds all logins together may take.
		"-t", strconv.Itoa(20 + login.Again), "-r", strconv.Itoa(login.Again),
	}
	if login.MAC != "" {
		args = append(args, "-M", login.MAC)
	}
	if login.SSID != "" {
		args = append(args, "-N", "30:s:AA-BB-CC-DD-EE-FF:"+login.SSID)
	}
	finished, err := process.Finish(ctx, process.Spec{Path: s.client, Args: args, Dir: s.folder.Path(), Attributes: process.User()})
	if err != nil {
		return Result{}, err
	}
	return result(finished)
}

// result reads the output of eapol_test, which has to agree with its exit status.
func result(finished process.Result) (Result, error) {
	r := Result{Accepted: finished.Status == 0, Output: finished.Stdout + finished.Stderr}
	packets := regexp.MustCompile(`(?m)^RADIUS message: code=(2|3) \(Access-(?:Accept|Reject)\).*\n((?: .*\n)*)`).FindAllStringSubmatch(finished.Stdout, -1)
	if len(packets) == 0 {
		return r, nil
	}
	last := packets[len(packets)-1]
	if r.Accepted && last[1] != "2" {
		return r, fmt.Errorf("eapol_test succeeded, and the last packet was a refusal:\n%s", r.Output)
	}
	r.Attributes = map[string][]string{}
	attribute := regexp.MustCompile(`(?m)^ +Attribute \d+ \((.+)\) length=\d+\n +Value: (.*)$`)
	for _, match := range attribute.FindAllStringSubmatch(last[2], -1) {
		value := match[2]
		if quoted, ok := strings.CutPrefix(value, "'"); ok {
			value = strings.TrimSuffix(quoted, "'")
		} else if text, err := hex.DecodeString(value); match[1] == VLAN && err == nil {
			value = string(text)
		}
		r.Attributes[match[1]] = append(r.Attributes[match[1]], value)
	}
	return r, nil
}
