package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"step-posture-connector/internal/test/e2e/doors"
	"step-posture-connector/internal/test/e2e/webproxy"
)

// openWeb starts the connector with a door for web servers, an application, and nginx in front of it.
func openWeb(ctx context.Context, s *setup) error {
	err := openSite(ctx, s, webDoor)
	if err != nil {
		return err
	}
	if s.shown.application, err = webproxy.StartApplication(ctx); err != nil {
		return err
	}
	s.shown.proxy, err = s.shown.site.Web(ctx, webproxy.StartNginx, s.shown.application)
	return err
}

// visit is a Mac that opens a page. It returns the status, the text, and the requests that reached the application.
func (s *setup) visit(ctx context.Context, mac doors.Credential) (status int, text string, reached []webproxy.Request, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	client, err := s.shown.proxy.Client(&mac)
	if err != nil {
		return 0, "", nil, err
	}
	defer client.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.shown.proxy.URL("/"), http.NoBody)
	if err != nil {
		return 0, "", nil, fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("X-Device-User", "root")
	response, err := client.Do(request)
	if err != nil {
		return 0, "", nil, fmt.Errorf("open the page: %w", err)
	}
	defer func() { err = errors.Join(err, response.Body.Close()) }()
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<16))
	return response.StatusCode, strings.TrimSpace(string(body)), s.shown.application.Requests(), err
}

// opened shows that a Mac reaches the application, which learns which device it is.
func opened(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "2. They open a page with their certificates. nginx runs with %s, and asks the connector about each request.\n", fileOf("nginx", "posture.conf"))
	fmt.Fprintf(out, "   Both also send the header X-Device-User: root.\n")
	for _, mac := range []struct {
		name, serial, user string
		credential         doors.Credential
	}{{"Ada's Mac", adaSerial, "ada", s.shown.ada}, {"Bo's Mac", boSerial, "bo", s.shown.bo}} {
		status, text, reached, err := s.visit(ctx, mac.credential)
		if err != nil {
			return err
		}
		if status != http.StatusOK || len(reached) != 1 || reached[0].Header.Get("X-Device-Id") != mac.serial || reached[0].Header.Get("X-Device-User") != mac.user {
			return fmt.Errorf("%s did not reach the application as itself: status %d %q, %d requests\n%s", mac.name, status, text, len(reached), s.gate.Connector().Log())
		}
		fmt.Fprintf(out, "   => %d: %s reaches the application, which is told by the connector:\n", status, mac.name)
		for _, name := range []string{"X-Device-Id", "X-Device-Name", "X-Device-User", "X-Device-Groups"} {
			fmt.Fprintf(out, "     %-16s %s\n", name, strings.Join(reached[0].Header.Values(name), ", "))
		}
	}
	return nil
}

// shutOut shows that a Mac that has fallen behind reaches nothing.
func shutOut(ctx context.Context, s *setup, out io.Writer) error {
	fmt.Fprintf(out, "3. The inventory now says that Ada's Mac has macOS %s. Its certificate is still good, and it opens the page again:\n", staleVersion)
	if err := s.fallBehind(ctx, out); err != nil {
		return err
	}
	status, text, reached, err := s.visit(ctx, s.shown.ada)
	if err != nil {
		return err
	}
	if status != http.StatusForbidden || len(reached) != 0 {
		return fmt.Errorf("the status is %d %q, want 403, and %d requests reached the application", status, text, len(reached))
	}
	line, err := s.awaitLog(ctx, "[DENY]", adaSerial, "updateRequired")
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "   => %d: the application is not reached. The browser shows a text of nginx:\n     %s\n", status, text)
	fmt.Fprintf(out, "     The connector logs the reason:\n     %s\n", line)
	return nil
}
