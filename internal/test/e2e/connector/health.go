package connector

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
)

func (c Config) health() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(c.HealthPort)) }

// Health asks a path of the health listener and returns status and text.
func (c *Connector) Health(ctx context.Context, path string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.config.health()+path, http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("make health request: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("ask the health listener: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, string(body), err
}

// Metric returns the value of a metric without labels.
func (c *Connector) Metric(ctx context.Context, name string) (float64, error) {
	_, text, err := c.Health(ctx, "/metrics")
	if err != nil {
		return 0, err
	}
	match := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(text)
	if match == nil {
		return 0, errors.New("no such metric: " + name)
	}
	return strconv.ParseFloat(match[1], 64)
}

// Presents waits until the connector presents the certificate that is in its file
// now, and returns that certificate.
func (c *Connector) Presents(ctx context.Context) (*x509.Certificate, error) {
	leaf, err := readLeaf(c.config.Certificate)
	if err != nil {
		return nil, err
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(c.config.Port))
	err = c.process.Await(ctx, func(ctx context.Context) error { return presents(ctx, address, leaf) })
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(leaf)
}
