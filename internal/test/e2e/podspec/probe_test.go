//go:build compose

package podspec_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// watch runs a probe until ctx ends. It tells each change of its result: successThreshold successes, or
// failureThreshold failures in a row.
func (c *container) watch(ctx context.Context, probe *corev1.Probe, tell func(good bool, reason error)) {
	// The defaults of the API.
	period := time.Duration(cmp.Or(probe.PeriodSeconds, 10)) * time.Second
	successes, failures := cmp.Or(probe.SuccessThreshold, 1), cmp.Or(probe.FailureThreshold, 3)
	if !sleep(ctx, time.Duration(probe.InitialDelaySeconds)*time.Second) {
		return
	}
	inRow, lastGood := int32(0), false
	for {
		err := c.probe(ctx, probe)
		if ctx.Err() != nil {
			return
		}
		good := err == nil
		if good != lastGood {
			inRow = 0
		}
		inRow++
		lastGood = good
		if good && inRow == successes || !good && inRow == failures {
			tell(good, err)
		}
		if !sleep(ctx, period) {
			return
		}
	}
}

// probe asks once.
func (c *container) probe(ctx context.Context, probe *corev1.Probe) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cmp.Or(probe.TimeoutSeconds, 1))*time.Second)
	defer cancel()
	switch {
	case probe.HTTPGet != nil:
		port, err := c.port(probe.HTTPGet.Port)
		if err != nil {
			return err
		}
		scheme := strings.ToLower(string(cmp.Or(probe.HTTPGet.Scheme, corev1.URISchemeHTTP)))
		if scheme != "http" {
			return fmt.Errorf("the kubelet of these tests asks by http only, not %s", scheme)
		}
		return get(ctx, "http://"+net.JoinHostPort(c.pod.ip, strconv.Itoa(port))+probe.HTTPGet.Path)
	case probe.Exec != nil:
		_, err := run(ctx, nil, append([]string{"docker", "exec", c.current()}, probe.Exec.Command...)...)
		return err
	case probe.TCPSocket != nil:
		port, err := c.port(probe.TCPSocket.Port)
		if err != nil {
			return err
		}
		connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(c.pod.ip, strconv.Itoa(port)))
		if err == nil {
			_ = connection.Close()
		}
		return err
	}
	return errors.New("the probe asks nothing")
}

// get wants a status from 200 to 399. Neither a proxy nor a connection of before is used.
func get(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	_ = answer.Body.Close()
	if answer.StatusCode < 200 || answer.StatusCode > 399 {
		return fmt.Errorf("probe failed with statuscode: %d", answer.StatusCode)
	}
	return nil
}

// port is a number, or that of a name among the container's ports.
func (c *container) port(port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, declared := range c.spec.Ports {
		if declared.Name == port.StrVal {
			return int(declared.ContainerPort), nil
		}
	}
	return 0, fmt.Errorf("the container %s has no port %q", c.spec.Name, port.StrVal)
}
