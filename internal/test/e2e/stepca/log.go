package stepca

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// RequestID waits until the CA has logged a request for a URL with the given status,
// and returns the request ID. The CA may log a request a moment after its answer.
func (ca *CA) RequestID(ctx context.Context, rawURL string, status int) (string, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return "", fmt.Errorf("look for a request: %w", err)
	}
	form := regexp.MustCompile(
		`(?m) path=` + regexp.QuoteMeta(u.Path) + ` .* request-id=(\S+) .*\bstatus=` + strconv.Itoa(status) + ` `)
	var id string
	err = ca.process.Await(ctx, func(context.Context) error {
		match := form.FindStringSubmatch(ca.Log())
		if match == nil {
			return fmt.Errorf("no request for %s with status %d in the log", u.Path, status)
		}
		id = match[1]
		return nil
	})
	return id, err
}

// AwaitLog waits until the CA has printed a text.
func (ca *CA) AwaitLog(ctx context.Context, text string) error {
	return ca.process.Await(ctx, func(context.Context) error {
		if !strings.Contains(ca.Log(), text) {
			return fmt.Errorf("step-ca has not printed %q", text)
		}
		return nil
	})
}
