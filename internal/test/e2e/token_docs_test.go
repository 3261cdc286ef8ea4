package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"step-posture-connector/internal/test/e2e/process"
)

// The device of the page's examples.
const (
	pageSerial = "C02XK1JKLVCG"
	pageUDID   = "00008110-001C2D8E0F90802E"
)

// sample is a block of the page for the connector and the device of the test.
func (g *tokenGuard) sample(t *testing.T, after, language string) string {
	t.Helper()
	text := g.page.block(t, after, language)
	return strings.NewReplacer("https://posture.example.com:9443", "https://"+g.Address(), pageSerial, enrolledSerial, pageUDID, enrolledUDID).Replace(text)
}

// run runs a program as an enrolment service does, in the folder with its credential, and returns its output.
func (g *tokenGuard) run(t *testing.T, program string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	out, err := process.Run(ctx, process.Spec{Path: program, Args: args, Dir: g.dir, Env: os.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out)
}

// testSamples: each way of the page to get a token gives one with which the device gets its certificate.
func (g *tokenGuard) testSamples(t *testing.T) {
	root, err := os.ReadFile(g.ca.RootPath())
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"root_ca.crt": string(root), "service.py": g.sample(t, "### In Python", "python"), "service.go": g.sample(t, "### In Go", "go"),
	} {
		writeFile(t, filepath.Join(g.dir, name), content)
	}
	for name, token := range map[string]string{
		"curl":    tokenIn(t, g.run(t, "/bin/sh", "-ec", g.sample(t, "## The enrolment service", "sh"))),
		"python":  g.run(t, "/usr/bin/env", "python3", "service.py", enrolledSerial, enrolledUDID),
		"go":      g.run(t, "/usr/bin/env", "go", "run", "service.go", enrolledSerial, enrolledUDID),
		"command": tokenIn(t, g.command(t, nil, g.commandOf(t, "token issue")...)),
	} {
		if len(token) != 43 {
			t.Errorf("%s: got the token %q", name, token)
			continue
		}
		cert, err := g.with(t, g.orderOf(t, g.device(t, enrolledSerial)), enrolledSerial, enrolledUDID, token)
		g.expectToken(t, cert, err, token)
	}
	if listed := g.command(t, nil, g.commandOf(t, "token list")...); !strings.Contains(listed, enrolledSerial) {
		t.Errorf("token list prints %s, want the tokens of the device", listed)
	}
}

func tokenIn(t *testing.T, text string) string {
	t.Helper()
	var token issued
	if err := json.Unmarshal([]byte(text), &token); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return token.Token
}

// commandOf are the arguments of a command of the page.
func (g *tokenGuard) commandOf(t *testing.T, name string) []string {
	t.Helper()
	line := regexp.MustCompile(`(?m)^step-posture-connector (` + name + ` .*)$`).FindStringSubmatch(g.sample(t, "on the connector's machine", "sh"))
	if line == nil {
		t.Fatalf("the page has no command %s", name)
	}
	return strings.Fields(line[1])
}

// command runs a command of the connector beside it.
func (g *tokenGuard) command(t *testing.T, more []string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), answerTimeout)
	defer cancel()
	result, err := g.Run(ctx, more, args...)
	if err != nil || result.Status != 0 {
		t.Fatalf("%q: %v, %s", args, err, shown(result))
	}
	return result.Stdout
}

// testErrors: the table of errors says what the API answers.
func (g *tokenGuard) testErrors(t *testing.T) {
	stranger := g.tokens
	stranger.bearer = newBearer()
	order := func(content string) any { return json.RawMessage(content) }
	for name, test := range map[string]struct {
		of           api
		method, path string
		content      any
		status       int
		code         string
	}{
		"malformed":        {g.tokens, http.MethodPost, "", order(`{"policy":"enrolment"}`), 400, "malformed"},
		"another policy":   {g.tokens, http.MethodPost, "", order(`{"policy":"other","identifier":"C02"}`), 400, "malformed"},
		"too long a life":  {g.tokens, http.MethodPost, "", order(`{"policy":"enrolment","identifier":"C02","lifetime":"6m"}`), 400, "malformed"},
		"stranger":         {stranger, http.MethodPost, "", order(`{"policy":"enrolment","identifier":"C02"}`), 401, "unauthenticated"},
		"no such token":    {g.tokens, http.MethodDelete, "/ABCDEFGHIJKLMNOPQRSTUVWXYZ", nil, 404, "notFound"},
		"no such method":   {g.tokens, http.MethodPut, "", nil, 405, "methodNotAllowed"},
		"too large a body": {g.tokens, http.MethodPost, "", order(`{"policy":"` + strings.Repeat("a", 5000) + `"}`), 413, "tooLarge"},
	} {
		row := regexp.MustCompile("(?m)^\\| (?:\\d+, )?" + strconv.Itoa(test.status) + "(?:, \\d+)? \\| `" + test.code + "` \\|")
		if !row.MatchString(g.page.text) {
			t.Errorf("%s: the table of the page has no row of %d and %s", name, test.status, test.code)
		}
		status, body := g.tokens.until(t, http.StatusTooManyRequests, func(ctx context.Context) (int, []byte) {
			return test.of.do(ctx, t, test.method, test.of.url+test.path, test.content)
		})
		if status != test.status || !bytes.Contains(body, []byte(`{"allow":false,"error":{"code":"`+test.code+`",`)) {
			t.Errorf("%s: the API answers %d %s, want %d and %s", name, status, body, test.status, test.code)
		}
	}
}

// testBackup: a copy that was made beside the running connector has its tokens.
func (g *tokenGuard) testBackup(t *testing.T) {
	token := g.token(t)
	statement := regexp.MustCompile(`"(VACUUM INTO '.*')"`).FindStringSubmatch(g.page.block(t, "## Backup and restore", "sh"))
	if statement == nil {
		t.Fatal("the page has no statement for a backup")
	}
	// The library of Python in place of the program sqlite3, which not every machine has.
	g.run(t, "/usr/bin/env", "python3", "-c", `import sqlite3, sys; sqlite3.connect("state.db").execute(sys.argv[1])`, statement[1])
	backup := []string{"STATE_URL=sqlite:" + filepath.Join(g.dir, "backup.db")}
	if listed := g.command(t, backup, "token", "list", "--json"); !strings.Contains(listed, token.ID) {
		t.Errorf("the backup has the tokens %s, want %s among them", listed, token.ID)
	}
}
