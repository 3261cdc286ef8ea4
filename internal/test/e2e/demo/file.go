package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/test/e2e/gate"
	"step-posture-connector/internal/test/e2e/stepca"
)

// The inventory has one Mac, with facts about its user.
const (
	knownSerial   = "C02DEMOMAC01"
	unknownSerial = "C02UNKNOWN01"
	department    = "Design"
	email         = "ada@example.com"

	inventory = "Identifier,department,email\n" + knownSerial + "," + department + "," + email + "\n"
)

// openFile puts a gate in front of the CA; its connector reads an inventory file.
func openFile(ctx context.Context, s *setup) error {
	return s.openGate(ctx, gate.Config{
		Provisioner:   stepca.Provisioner{Template: gate.Template},
		Inventory:     inventory,
		InventoryType: "csv",
	})
}

// knownDevice shows that a device in the inventory gets a certificate, with the
// inventory's data.
func knownDevice(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "1. A known Mac orders a certificate. Its serial number, %s, is in the inventory:\n", knownSerial)
	fmt.Fprintf(out, "     %s\n", strings.ReplaceAll(strings.TrimSpace(inventory), "\n", "\n     "))
	cert, err := s.certificate(ctx, knownSerial)
	if err != nil {
		return fmt.Errorf("the Mac in the inventory got no certificate: %w\n%s", err, s.gate.Connector().Log())
	}
	identifiers, err := identifiersOf(cert)
	if err != nil {
		return err
	}
	if !slices.Equal(identifiers, []string{knownSerial}) ||
		!slices.Equal(cert.Subject.OrganizationalUnit, []string{department}) ||
		!slices.Equal(cert.EmailAddresses, []string{email}) {
		return fmt.Errorf("the certificate lacks the inventory's data: subject %q, identifiers %q, e-mail %q",
			cert.Subject, identifiers, cert.EmailAddresses)
	}
	fmt.Fprintf(out, "   => ISSUED:\n")
	fmt.Fprintf(out, "     subject     %s\n", cert.Subject)
	fmt.Fprintf(out, "     names       permanent identifier %s, e-mail %s\n", identifiers[0], cert.EmailAddresses[0])
	fmt.Fprintf(out, "     issuer      %s\n", cert.Issuer)
	fmt.Fprintf(out, "     The department and the e-mail address come from the inventory: the connector returned them to step-ca.\n")
	return nil
}

// unknownDevice shows that a genuine device outside the inventory gets no certificate.
func unknownDevice(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "2. An unknown Mac orders a certificate. It is genuine, but %s is not in the inventory:\n", unknownSerial)
	cert, err := s.certificate(ctx, unknownSerial)
	return s.expectRefusal(ctx, out, "deviceNotFound", unknownSerial, cert, err)
}

// forgedRequest shows that only step-ca is answered. The request has an invented
// webhook ID, and a signature with the empty key, which every client can make.
func forgedRequest(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "3. An attacker calls the connector directly, with an invented webhook ID and without the signing secret:\n")
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	body := fmt.Sprintf(`{"timestamp":%q,"attestationData":{"permanentIdentifier":%q}}`,
		time.Now().Format(time.RFC3339Nano), knownSerial)
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gate.URL(), strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the forged request: %w", err)
	}
	req.Header.Set("X-Smallstep-Webhook-ID", "00000000-0000-4000-8000-000000000000")
	req.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := s.client.Do(req)
	if err != nil {
		return fmt.Errorf("make the forged request: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("read the answer to the forged request: %w", err)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("the forged request was answered %s, want 401", resp.Status)
	}
	fmt.Fprintf(out, "   => REJECTED: %s\n     %s\n", resp.Status, strings.TrimSpace(string(answer)))
	return nil
}
