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

// stepTimeout bounds each part of a step; none should take more than a few seconds.
const stepTimeout = time.Minute

// order makes a new device with this serial number, which places an order and attests to it.
func (s *setup) order(ctx context.Context, serial string) (*device.Order, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	d, err := s.maker.Make(serial, "00008030-"+serial)
	if err != nil {
		return nil, err
	}
	return d.Order(ctx, s.client, s.gate.DirectoryURL())
}

// finalize asks for the certificate of an order.
func finalize(ctx context.Context, order *device.Order) (*x509.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	return order.Finalize(ctx)
}

// certificate makes a new device with this serial number, and orders its certificate.
func (s *setup) certificate(ctx context.Context, serial string) (*x509.Certificate, error) {
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

// expectRefusal checks that a device was denied for the expected reason, and shows
// step-ca's answer to the device and the line of the log.
func (s *setup) expectRefusal(
	ctx context.Context, out io.Writer, code, serial string, cert *x509.Certificate, err error,
) error {
	if cert != nil {
		return fmt.Errorf("a device that must be denied got a certificate: %s", cert.Subject)
	}
	var problem *acme.Error
	if !errors.As(err, &problem) {
		return fmt.Errorf("the device was not denied: %w", err)
	}
	if problem.StatusCode != http.StatusUnauthorized || len(problem.Subproblems) != 1 ||
		problem.Subproblems[0].Type != "urn:smallstep:acme:error:"+code {
		return fmt.Errorf("the device got another error than %s: %w\n%s", code, err, s.gate.Connector().Log())
	}
	line, err := s.awaitLog(ctx, "[DENY]", serial, code)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   => DENIED. step-ca answers the device:\n")
	fmt.Fprintf(out, "     status      %d %s\n", problem.StatusCode, problem.ProblemType)
	fmt.Fprintf(out, "     detail      %s\n", problem.Detail)
	fmt.Fprintf(out, "     subproblem  %s\n", problem.Subproblems[0].Type)
	fmt.Fprintf(out, "     The connector logs the reason, with the same reference:\n     %s\n", line)
	return nil
}

// expectServerError checks that there was no decision about a device, and shows
// step-ca's answer to the device.
func (s *setup) expectServerError(
	ctx context.Context, out io.Writer, serial string, cert *x509.Certificate, err error,
) error {
	if cert != nil {
		return fmt.Errorf("a device without a decision got a certificate: %s", cert.Subject)
	}
	var problem *acme.Error
	if !errors.As(err, &problem) {
		return fmt.Errorf("the device got no answer: %w", err)
	}
	if problem.StatusCode < http.StatusInternalServerError {
		return fmt.Errorf("the device was denied without a decision: %w", err)
	}
	line, err := s.awaitLog(ctx, "[DENY]", serial, "unavailable")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   => NOT DECIDED. step-ca answers the device with a server error, so it may try again:\n")
	fmt.Fprintf(out, "     status      %d %s\n", problem.StatusCode, problem.ProblemType)
	fmt.Fprintf(out, "     The connector logs the cause:\n     %s\n", line)
	return nil
}

// awaitLog waits for a line of the connector's log that contains all texts.
func (s *setup) awaitLog(ctx context.Context, texts ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	if s.guard != nil {
		return s.guard.AwaitLog(ctx, texts...)
	}
	return s.gate.Connector().AwaitLog(ctx, texts...)
}
