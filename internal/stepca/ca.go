// Package stepca asks a step-ca for its provisioners, and says what is wrong with those that ask the connector.
package stepca

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// CA is the step-ca that is asked. Nothing is sent to it but the question: everyone may ask it.
type CA struct {
	URL string
	// Roots are the roots that its certificate must chain to.
	Roots *x509.CertPool
}

// ParseURL checks the URL of a CA, and returns it without a slash at the end.
func ParseURL(text string) (string, error) {
	const accepted = "; accepted: https://HOST or https://HOST:PORT of step-ca"
	u, err := url.Parse(text)
	switch {
	case err != nil || u.User != nil: // not repeated: it may have a password
		return "", errors.New("is no URL, or has a user name or a password" + accepted)
	case u.Scheme != "https" || u.Hostname() == "" || u.Opaque != "":
		return "", fmt.Errorf("%s is no https URL"+accepted, quote(text))
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return "", errors.New("has more than a host and a port" + accepted)
	}
	return "https://" + u.Host, nil
}

// page is one answer.
type page struct {
	Provisioners *[]Provisioner `json:"provisioners"`
	NextCursor   string         `json:"nextCursor"`
}

// Provisioners asks for all provisioners.
func (ca CA) Provisioners(ctx context.Context) ([]Provisioner, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{RootCAs: ca.Roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	all, err := ca.readPages(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("step-ca at %s: %w", ca.URL, err)
	}
	return all, nil
}

func (ca CA) readPages(ctx context.Context, client *http.Client) (all []Provisioner, err error) {
	cursor, seen := "", map[string]bool{}
	for range maxPages {
		p, err := ca.readPage(ctx, client, cursor)
		switch {
		case err != nil:
			return nil, err
		case len(*p.Provisioners) > pageSize:
			return nil, fmt.Errorf("a page has %d provisioners; step-ca gives at most %d. Is this step-ca?", len(*p.Provisioners), pageSize)
		}
		all = append(all, *p.Provisioners...)
		switch cursor = p.NextCursor; {
		case cursor == "":
			return all, nil
		case seen[cursor] || len(cursor) > maxCursor:
			return nil, errors.New("its pages of provisioners have no end: a cursor came twice, or is none. Is this step-ca?")
		}
		seen[cursor] = true
	}
	return nil, fmt.Errorf("more than %d provisioners; at most that many are checked", maxPages*pageSize)
}

func (ca CA) readPage(ctx context.Context, client *http.Client, cursor string) (p page, err error) {
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, ca.URL+"/provisioners?"+query.Encode(), http.NoBody)
	if err != nil {
		return p, fmt.Errorf("ask for the provisioners: %w", withoutURL(err))
	}
	response, err := client.Do(request)
	if err != nil {
		return p, explain(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return p, refusedStatus(response.StatusCode)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPage+1))
	switch {
	case err != nil:
		return p, explain(err)
	case len(body) > maxPage:
		return p, fmt.Errorf("its answer has more than %d MiB. Is this step-ca?", maxPage>>20)
	}
	if err := json.NewDecoder(bytes.NewReader(body)).Decode(&p); err != nil || p.Provisioners == nil {
		// The decoder's error may repeat a part of the answer, which has secrets.
		return p, errors.New("its answer has no list of provisioners in JSON. Is this step-ca?")
	}
	return p, nil
}

func refusedStatus(status int) error {
	text := fmt.Sprintf("it answers GET /provisioners with status %d. ", status)
	if status >= http.StatusMultipleChoices && status < http.StatusBadRequest {
		return errors.New(text + "Redirects are not followed: give the URL of step-ca itself")
	}
	return errors.New(text + "Is this step-ca, and does it run without an error in its log?")
}

// withoutURL removes the URL, which each error of a client repeats.
func withoutURL(err error) error {
	if wrong := (*url.Error)(nil); errors.As(err, &wrong) {
		return wrong.Err
	}
	return err
}

// explain says what to do about an answer that did not come.
func explain(err error) error {
	err = withoutURL(err)
	unknown, wrongName := x509.UnknownAuthorityError{}, x509.HostnameError{}
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("its certificate is not of a CA that is trusted here; --ca-root names the file with step-ca's root (step ca root): %w", err)
	case errors.As(err, &wrongName):
		return fmt.Errorf("its certificate is for other names; use one of them in --ca-url: %w", err)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("it did not answer within %v. Is the URL right, and does step-ca run?", askTimeout)
	}
	return fmt.Errorf("no answer; is the URL right, and does step-ca run? %w", err)
}
