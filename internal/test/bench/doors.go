package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

const (
	radiusPath        = "/door/radius"
	forwardAuthPath   = "/door/http"
	certificateHeader = "X-Client-Cert"
	forwardAuthAnswer = `{"allow":true}`
	radiusAnswer      = `{"control:Auth-Type":{"op":":=","do_xlat":false,"value":["Accept"]},` +
		`"reply:Tunnel-Type":{"op":":=","do_xlat":false,"value":["VLAN"]},` +
		`"reply:Tunnel-Medium-Type":{"op":":=","do_xlat":false,"value":["IEEE-802"]},` +
		`"reply:Tunnel-Private-Group-Id":{"op":":=","do_xlat":false,"value":["42"]},` +
		`"reply:Session-Timeout":{"op":":=","do_xlat":false,"value":["3600"]},` +
		`"reply:Termination-Action":{"op":":=","do_xlat":false,"value":["RADIUS-Request"]}}`

	doorsGoal = 1.8
	// doorDevices connect again and again, so that answers that are remembered are used.
	doorDevices = 200
	// doorRate is a constant load, for doorTime.
	doorRate = 500
	doorTime = 5 * time.Second
)

func (f folder) deviceCA() string { return f.file("device_ca.pem") }

// doorPolicy is a policy with some rules, and doors that give a VLAN and headers. Cache is of the second door.
func (b *bench) doorPolicy(in inventory, cache string) (string, error) {
	var text strings.Builder
	fmt.Fprintf(&text, `inventories:
  owned: {provider: file, path: %s, type: %s}
policies:
  wifi:
    inventories: [owned]
    rules:
      - {name: seen, require: 'device.last_seen > now - days(30)'}
      - {name: version, require: 'device.os_version.atLeast("15.4")'}
      - {name: encrypted, require: 'device.encrypted'}
      - {name: valid, require: 'request.certificate.not_after > now'}
doors:
  issuers: %s
  provisioners: [acme-da]
  radius: [{callers: [%s], policy: wifi, vlan: '"Employees" in device.groups ? "42" : "7"'}]
  forward_auth: [{callers: ['cn:%s'], policy: wifi, cache: %s, headers: {X-Device-User: user.email_address}}]
`, in.path, in.format, b.folder.deviceCA(), clientName, clientName, cache)
	path := b.folder.file("doors_" + cache + ".yaml")
	if err := os.WriteFile(path, []byte(text.String()), private); err != nil {
		return "", fmt.Errorf("write policy file: %w", err)
	}
	return path, nil
}

// doorConnector is a connector whose doors have the address.
func (b *bench) doorConnector(ctx context.Context, policy, name string) (*target, error) {
	p, err := b.run(ctx, name, func(ctx context.Context, address string) *exec.Cmd {
		_, port, _ := net.SplitHostPort(address)
		number, _ := strconv.Atoi(port)
		command := exec.CommandContext(ctx, b.daemonPath())
		command.Dir = string(b.folder)
		command.Env = []string{
			"TLS_CERT_PATH=" + b.folder.certificate(), "TLS_KEY_PATH=" + b.folder.key(), "BIND_ADDRESS=" + host, "HEALTH_ADDRESS=off",
			"PORT=" + strconv.Itoa(number-portCount), "DOOR_ADDRESS=" + address, "DOOR_CLIENT_CA_PATH=" + b.folder.clientCA(), "POLICY_PATH=" + policy,
		}
		return command
	})
	return &target{process: p, devices: doorDevices, mutual: true}, err
}

// questions are those of a RADIUS server and of a web server about each device.
type questions struct{ radius, forwardAuth []call }

// askDoors prepares the questions.
func (b *bench) askDoors(ctx context.Context, ca *tls.Certificate) (*questions, error) {
	q := &questions{}
	for d := range device(doorDevices) {
		cert, err := deviceCertificate(ca, d)
		if err != nil {
			return nil, err
		}
		body := radiusBody(cert)
		one, err := doorCall(ctx, radiusPath, body, http.Header{"Content-Type": {"application/json"}}, radiusAnswer)
		if err != nil {
			return nil, err
		}
		q.radius = append(q.radius, one)
		encoded := url.PathEscape(string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
		encoded = strings.ReplaceAll(encoded, "+", "%2B") // as nginx does
		if one, err = doorCall(ctx, forwardAuthPath, nil, http.Header{certificateHeader: {encoded}, "X-Forwarded-Uri": {"/assets/1.js"}}, forwardAuthAnswer); err != nil {
			return nil, err
		}
		q.forwardAuth = append(q.forwardAuth, one)
	}
	return q, nil
}

func doorCall(ctx context.Context, path string, body []byte, header http.Header, want string) (call, error) {
	method := http.MethodPost
	if body == nil {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(ctx, method, "https://"+host+path, bytes.NewReader(body))
	if err != nil {
		return call{}, fmt.Errorf("make request: %w", err)
	}
	request.Header = header
	var wire bytes.Buffer
	if err := request.Write(&wire); err != nil {
		return call{}, fmt.Errorf("encode request: %w", err)
	}
	return call{body: body, header: header, wire: wire.Bytes(), want: want}, nil
}

// repeated are count questions, in turns about all devices.
func repeated(all []call, count int) []call {
	many := make([]call, count)
	for i := range many {
		many[i] = all[i%len(all)]
	}
	return many
}

// deviceCertificate is what step-ca issues for a device that was attested to the provisioner acme-da.
func deviceCertificate(ca *tls.Certificate, d device) (*x509.Certificate, error) {
	type otherName struct {
		ID    asn1.ObjectIdentifier
		Value struct {
			Identifier string `asn1:"utf8"`
		} `asn1:"explicit,tag:0"`
	}
	name := otherName{ID: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 8, 3}}
	name.Value.Identifier = d.identifier()
	one, err := asn1.MarshalWithParams(name, "tag:0")
	if err != nil {
		return nil, fmt.Errorf("encode name: %w", err)
	}
	names, err := asn1.Marshal([]asn1.RawValue{{FullBytes: one}})
	if err != nil {
		return nil, fmt.Errorf("encode names: %w", err)
	}
	made, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: d.identifier()}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		ExtraExtensions: []pkix.Extension{
			{Id: asn1.ObjectIdentifier{2, 5, 29, 17}, Value: names},
			{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 37476, 9000, 64, 1}, Value: provisionerOfDevices()},
		},
	}, ca)
	return made.Leaf, err
}

// provisionerOfDevices is step-ca's extension: type ACME, name acme-da, no credential.
func provisionerOfDevices() []byte {
	return append([]byte{0x30, 14, 2, 1, 6, 4, 7}, append([]byte("acme-da"), 4, 0)...)
}

// radiusBody is what FreeRADIUS sends about a login, with the attributes that were recorded.
func radiusBody(cert *x509.Certificate) []byte {
	const asn1Time = "060102150405Z"
	name := cert.Subject.CommonName
	attributes := [][3]string{
		{"User-Name", "string", "anything"},
		{"NAS-IP-Address", "ipaddr", "127.0.0.1"},
		{"Service-Type", "integer", "Framed-User"},
		{"Called-Station-Id", "string", "AA-BB-CC-DD-EE-FF:corp"},
		{"Calling-Station-Id", "string", "02-00-00-00-00-01"},
		{"NAS-Identifier", "string", "ap1"},
		{"NAS-Port-Type", "integer", "Wireless-802.11"},
		{"Connect-Info", "string", "CONNECT 11Mbps 802.11b"},
		{"Message-Authenticator", "octets", "0xba976f6d94dc220b4c32f4dee7022b1f"},
		{"EAP-Type", "integer", "TLS"},
		{"TLS-Cert-Serial", "string", "688b9c480ae2fa6fd09496050618c8c3c789c7a3"},
		{"TLS-Cert-Issuer", "string", "/CN=Root"},
		{"TLS-Cert-Subject", "string", "/CN=" + cert.Issuer.CommonName},
		{"TLS-Cert-Common-Name", "string", cert.Issuer.CommonName},
		{"TLS-Client-Cert-Serial", "string", hex.EncodeToString(cert.SerialNumber.Bytes())},
		{"TLS-Client-Cert-Expiration", "string", cert.NotAfter.UTC().Format(asn1Time)},
		{"TLS-Client-Cert-Valid-Since", "string", cert.NotBefore.UTC().Format(asn1Time)},
		{"TLS-Client-Cert-Issuer", "string", "/CN=" + cert.Issuer.CommonName},
		{"TLS-Client-Cert-Subject", "string", "/CN=" + name},
		{"TLS-Client-Cert-Common-Name", "string", name},
		{"TLS-Client-Cert-X509v3-Extended-Key-Usage", "string", "TLS Web Client Authentication"},
		{"TLS-Client-Cert-X509v3-Authority-Key-Identifier", "string", strings.ToUpper(hex.EncodeToString(cert.AuthorityKeyId))},
		{"TLS-Client-Cert-X509v3-Basic-Constraints", "string", "CA:FALSE"},
		{"TLS-Client-Cert-X509v3-Extended-Key-Usage-OID", "string", "1.3.6.1.5.5.7.3.2"},
		{"TLS-Client-Cert-1.3.6.1.4.1.37476.9000.64.1", "octets", "0x" + hex.EncodeToString(provisionerOfDevices())},
	}
	members := []string{`"Framed-MTU":{"type":"integer","value":[1400]}`}
	for _, a := range attributes {
		members = append(members, fmt.Sprintf(`%s:{"type":%s,"value":[%s]}`, quoted(a[0]), quoted(a[1]), quoted(a[2])))
	}
	return []byte("{" + strings.Join(members, ",") + "}")
}

// doors compares what a question costs at each door.
func (b *bench) doors(ctx context.Context) error {
	ca, err := issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Device CA"}, KeyUsage: x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true, SubjectKeyId: []byte("device ca key identifier")[:20],
	}, nil)
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.folder.deviceCA(), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Leaf.Raw}), private); err != nil {
		return fmt.Errorf("write CA: %w", err)
	}
	asked, err := b.askDoors(ctx, &ca)
	if err != nil {
		return err
	}
	in, err := b.factInventory(thousandDevices)
	if err != nil {
		return err
	}
	floor, err := b.run(ctx, "floor of the doors", func(ctx context.Context, address string) *exec.Cmd {
		return self(ctx, doorsArgument, address, string(b.folder))
	})
	if err != nil {
		return err
	}
	floorTarget := &target{process: floor, mutual: true}
	var connectors []*target
	for _, cache := range []string{"0s", "1m"} {
		policy, err := b.doorPolicy(in, cache)
		if err != nil {
			return err
		}
		t, err := b.doorConnector(ctx, policy, "connector with cache "+cache)
		if err != nil {
			return err
		}
		connectors = append(connectors, t)
	}
	for _, way := range []struct {
		name  string
		calls []call
		of    *target
	}{
		{"RADIUS door", asked.radius, connectors[0]},
		{"forward_auth, not remembered", asked.forwardAuth, connectors[0]},
		{"forward_auth, remembered", asked.forwardAuth, connectors[1]},
	} {
		all, err := b.hold(ctx, contest{
			name: way.name, rounds: b.scale.rounds, requests: b.scale.requests, limit: b.scale.contestLimit,
			calls: func(count int) []call { return repeated(way.calls, count) },
			dial:  func(ctx context.Context, t *target) (driver, error) { return b.keepAlive(ctx, t, connections) },
		}, floorTarget, way.of)
		if err != nil {
			return err
		}
		b.rows = append(b.rows, against("CPU per question, "+way.name, all[0].summary().median, all[1].summary().median, micros, doorsGoal))
	}
	if err := b.doorLoad(ctx, connectors[0], asked.radius); err != nil {
		return err
	}
	return b.end(floor, connectors[0].process, connectors[1].process)
}

// doorLoad asks at a constant rate at the RADIUS door.
func (b *bench) doorLoad(ctx context.Context, t *target, calls []call) error {
	k, err := b.keepAlive(ctx, t, pool)
	if err != nil {
		return err
	}
	defer k.close()
	count := int(doorRate * doorTime.Seconds())
	var all []sent
	spent, err := t.spent(func() error {
		all, err = k.openLoop(ctx, repeated(calls, count), schedule(count, doorRate))
		return err
	})
	if err != nil {
		return err
	}
	b.rows = append(b.rows, reportOnly(fmt.Sprintf("%d questions a second at the RADIUS door for %s: p50, p99, share of a core", doorRate, doorTime),
		fmt.Sprintf("%s, %s, %.0f %%", millis(percentile(latencies(all), 50)), millis(percentile(latencies(all), 99)), 100*spent.Seconds()/doorTime.Seconds())))
	return nil
}
