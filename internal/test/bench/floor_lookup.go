package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// lookupArgument makes the floor look the device up in a Jamf Pro server before it answers.
const lookupArgument = "lookup"

// lookupsAtOnce is the most requests that it makes at once, as many as the connector.
const lookupsAtOnce = 5

// serveLookupFloor is the least that any server must do that asks a Jamf Pro server before it answers: one
// request, with a token that it already has. Arguments: the address, the folder with key and secret,
// the Jamf Pro server's URL, and the file with its CA.
func serveLookupFloor(ctx context.Context, args []string) error {
	if len(args) != 4 {
		return errors.New("lookup floor: want an address, a folder, a URL and a CA")
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", args[0])
	if err != nil {
		return fmt.Errorf("lookup floor: %w", err)
	}
	ca, err := os.ReadFile(args[3])
	if err != nil {
		return fmt.Errorf("lookup floor: %w", err)
	}
	f := &lookupFloor{base: args[2], slots: make(chan struct{}, lookupsAtOnce)}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	f.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true,
		MaxConnsPerHost: lookupsAtOnce, MaxIdleConnsPerHost: lookupsAtOnce,
	}}
	if err := f.authenticate(ctx); err != nil {
		return fmt.Errorf("lookup floor: %w", err)
	}
	return floorOn(ctx, listener, folder(args[1]), false, f.ask)
}

// lookupFloor asks a Jamf Pro server.
type lookupFloor struct {
	base   string
	client *http.Client
	token  string
	slots  chan struct{}
}

func (f *lookupFloor) authenticate(ctx context.Context) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {fakeClient}, "client_secret": {fakeSecret}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.base+"/api/v1/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("ask for a token: %w", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := f.get(request, &answer); err != nil {
		return err
	}
	f.token = answer.AccessToken
	return nil
}

// ask looks up the device that a webhook request is about.
func (f *lookupFloor) ask(ctx context.Context, body []byte) (answer []byte, err error) {
	var call struct {
		AttestationData struct {
			PermanentIdentifier string `json:"permanentIdentifier"`
		} `json:"attestationData"`
	}
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, fmt.Errorf("decode: %w", err)
	}
	query := url.Values{
		"section": {"GENERAL", "HARDWARE", "USER_AND_LOCATION", "GROUPS"},
		"filter":  {`serialNumber=="` + call.AttestationData.PermanentIdentifier + `"`},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+"/api/v2/mobile-devices/detail?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("look up: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+f.token)
	request.Header.Set("Accept", "application/json")
	var found struct {
		Results []struct {
			Hardware struct {
				SerialNumber string `json:"serialNumber"`
			} `json:"hardware"`
		} `json:"results"`
	}
	f.slots <- struct{}{}
	defer func() { <-f.slots }()
	if err := f.get(request, &found); err != nil {
		return nil, err
	}
	if len(found.Results) != 1 || found.Results[0].Hardware.SerialNumber != call.AttestationData.PermanentIdentifier {
		return nil, errors.New("another device was found")
	}
	return []byte(allowing("{}")), nil
}

func (f *lookupFloor) get(request *http.Request, answer any) error {
	request.Header.Set("User-Agent", "step-posture-connector-bench") // Jamf asks API clients to name themselves
	response, err := f.client.Do(request)
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxReport))
	if err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("ask: status %d", response.StatusCode)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("ask: %w", err)
	}
	return nil
}
