package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"go.step.sm/crypto/x509util"
	"golang.org/x/crypto/acme"

	"step-posture-connector/internal/test/e2e/device"
)

// sceneTimeout bounds each part of a scene; none should take more than a few seconds.
const sceneTimeout = time.Minute

// order has a new device of this serial number place an order and attest to it.
func (s *stage) order(ctx context.Context, serial string) (*device.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	d, err := s.maker.Make(serial, "00008030-"+serial)
	if err != nil {
		return nil, err
	}
	return d.Order(ctx, s.client, s.gate.DirectoryURL())
}

// finalize asks for the certificate of an order.
func finalize(ctx context.Context, order *device.Order) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	return order.Finalize(ctx)
}

// certificate has a new device of this serial number ask for a certificate.
func (s *stage) certificate(ctx context.Context, serial string) (*x509.Certificate, error) {
	order, err := s.order(ctx, serial)
	if err != nil {
		return nil, err
	}
	return finalize(ctx, order)
}

// identifiersOf returns the permanent identifiers in a certificate.
func identifiersOf(cert *x509.Certificate) ([]string, error) {
	sans, err := x509util.ParseSubjectAlternativeNames(cert)
	if err != nil {
		return nil, fmt.Errorf("read the certificate's names: %w", err)
	}
	var identifiers []string
	for _, identifier := range sans.PermanentIdentifiers {
		identifiers = append(identifiers, identifier.Identifier)
	}
	return identifiers, nil
}

// expectRefusal checks that a device was refused for the reason that it should be,
// and shows what it is told and what the log says.
func (s *stage) expectRefusal(
	ctx context.Context, out io.Writer, code, serial string, cert *x509.Certificate, err error,
) error {
	if cert != nil {
		return fmt.Errorf("a device that should be refused got a certificate: %s", cert.Subject)
	}
	var problem *acme.Error
	if !errors.As(err, &problem) {
		return fmt.Errorf("the device was not refused: %w", err)
	}
	if problem.StatusCode != http.StatusUnauthorized || len(problem.Subproblems) != 1 ||
		problem.Subproblems[0].Type != "urn:smallstep:acme:error:"+code {
		return fmt.Errorf("the device was told something else than %s: %w\n%s", code, err, s.gate.Connector().Log())
	}
	line, err := s.awaitLog(ctx, "[DENY]", serial, code)
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

// expectServerError checks that nobody could decide about a device, and shows what
// it is told.
func (s *stage) expectServerError(
	ctx context.Context, out io.Writer, serial string, cert *x509.Certificate, err error,
) error {
	if cert != nil {
		return fmt.Errorf("a device that nobody could judge got a certificate: %s", cert.Subject)
	}
	var problem *acme.Error
	if !errors.As(err, &problem) {
		return fmt.Errorf("the device got no answer: %w", err)
	}
	if problem.StatusCode < http.StatusInternalServerError {
		return fmt.Errorf("the device was refused, where nobody could judge it: %w", err)
	}
	line, err := s.awaitLog(ctx, "[DENY]", serial, "unavailable")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   => It gets none, and is not refused either: a server error, after which it may try again.\n")
	fmt.Fprintf(out, "     status      %d %s\n", problem.StatusCode, problem.ProblemType)
	fmt.Fprintf(out, "     The connector's log says why:\n     %s\n", line)
	return nil
}

// awaitLog waits for a line of the connector's log that has all of the texts.
func (s *stage) awaitLog(ctx context.Context, texts ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sceneTimeout)
	defer cancel()
	return s.gate.Connector().AwaitLog(ctx, texts...)
}
