package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"go.step.sm/crypto/x509util"
	"golang.org/x/crypto/acme"
)

// The inventory of the demo has one Mac, and facts about who uses it.
const (
	knownSerial   = "C02DEMOMAC01"
	unknownSerial = "C02STRANGER1"
	department    = "Design"
	email         = "ada@example.com"

	inventory = "Identifier,department,email\n" + knownSerial + "," + department + "," + email + "\n"
)

// sceneTimeout bounds each scene; none should take more than a second or two.
const sceneTimeout = time.Minute

// order has a new device of this serial number ask for a certificate.
func order(ctx context.Context, s *stage, serial string) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	client, err := s.ca.Client()
	if err != nil {
		return nil, err
	}
	defer client.CloseIdleConnections()
	d, err := s.maker.Make(serial, "00008030-"+serial)
	if err != nil {
		return nil, err
	}
	order, err := d.Order(ctx, client, s.gate.DirectoryURL())
	if err != nil {
		return nil, err
	}
	return order.Finalize(ctx)
}

// knownDevice shows that a device of the inventory gets a certificate, with
// what the inventory says about it.
func knownDevice(ctx context.Context, s *stage, out io.Writer) error {
	fmt.Fprintf(out, "1. A Mac asks for a certificate. Its serial number %s is in the inventory:\n", knownSerial)
	fmt.Fprintf(out, "     %s\n", strings.ReplaceAll(strings.TrimSpace(inventory), "\n", "\n     "))
	cert, err := order(ctx, s, knownSerial)
	if err != nil {
		return fmt.Errorf("the Mac in the inventory got no certificate: %w\n%s", err, s.gate.Connector().Log())
	}
	sans, err := x509util.ParseSubjectAlternativeNames(cert)
	if err != nil {
		return fmt.Errorf("read the certificate's names: %w", err)
	}
	var identifiers []string
	for _, identifier := range sans.PermanentIdentifiers {
		identifiers = append(identifiers, identifier.Identifier)
	}
	if !slices.Equal(identifiers, []string{knownSerial}) ||
		!slices.Equal(cert.Subject.OrganizationalUnit, []string{department}) ||
		!slices.Equal(cert.EmailAddresses, []string{email}) {
		return fmt.Errorf("the certificate lacks the inventory's data: subject %q, identifiers %q, e-mail %q",
			cert.Subject, identifiers, cert.EmailAddresses)
	}
	fmt.Fprintf(out, "   => It GETS one:\n")
	fmt.Fprintf(out, "     subject     %s\n", cert.Subject)
	fmt.Fprintf(out, "     names       permanent identifier %s, e-mail %s\n", identifiers[0], cert.EmailAddresses[0])
	fmt.Fprintf(out, "     issued by   %s\n", cert.Issuer)
	fmt.Fprintf(out, "     department and e-mail were written in by way of the connector's answer.\n")
	return nil
}

// unknownDevice shows that a genuine device which is not ours gets nothing.
func unknownDevice(ctx context.Context, s *stage, out io.Writer) error {
	fmt.Fprintf(out, "2. Another Mac asks. It is genuine, but %s is not in the inventory:\n", unknownSerial)
	cert, err := order(ctx, s, unknownSerial)
	if cert != nil {
		return fmt.Errorf("a device that is not in the inventory got a certificate: %s", cert.Subject)
	}
	var problem *acme.Error
	if !errors.As(err, &problem) {
		return fmt.Errorf("the device that is not in the inventory was not refused: %w", err)
	}
	if problem.StatusCode != http.StatusUnauthorized || len(problem.Subproblems) != 1 ||
		problem.Subproblems[0].Type != "urn:smallstep:acme:error:deviceNotFound" {
		return fmt.Errorf("the device that is not in the inventory was told something else: %w\n%s",
			err, s.gate.Connector().Log())
	}
	awaitCtx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	line, err := s.gate.Connector().AwaitLog(awaitCtx, "[DENY]", unknownSerial)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   => It gets NONE. step-ca tells it:\n")
	fmt.Fprintf(out, "     status      %d %s\n", problem.StatusCode, problem.ProblemType)
	fmt.Fprintf(out, "     detail      %s\n", problem.Detail)
	fmt.Fprintf(out, "     subproblem  %s\n", problem.Subproblems[0].Type)
	fmt.Fprintf(out, "     The connector's log has the same reference:\n     %s\n", line)
	return nil
}

// forgedCall shows that only step-ca can ask: a webhook ID that nobody made,
// and the signature that anybody can make, the one of the empty key.
func forgedCall(ctx context.Context, s *stage, out io.Writer) error {
	fmt.Fprintf(out, "3. Somebody else calls the connector, with a made-up webhook ID and no key to sign with:\n")
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	client, err := s.ca.Client()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()
	body := fmt.Sprintf(`{"timestamp":%q,"attestationData":{"permanentIdentifier":%q}}`,
		time.Now().Format(time.RFC3339Nano), knownSerial)
	mac := hmac.New(sha256.New, nil)
	mac.Write([]byte(body))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.gate.URL(), strings.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the forged call: %w", err)
	}
	req.Header.Set("X-Smallstep-Webhook-ID", "00000000-0000-4000-8000-000000000000")
	req.Header.Set("X-Smallstep-Signature", hex.EncodeToString(mac.Sum(nil)))
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("make the forged call: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if err != nil {
		return fmt.Errorf("read the answer to the forged call: %w", err)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return fmt.Errorf("the forged call was answered %s, want 401", resp.Status)
	}
	fmt.Fprintf(out, "   => It is turned away: %s\n     %s\n", resp.Status, strings.TrimSpace(string(answer)))
	return nil
}
