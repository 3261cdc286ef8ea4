package daemon

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/server"
	"step-posture-connector/internal/tokenapi"
)

// access is who may have tokens issued, under which policies; nil where there is no client.
func (g *generation) access() *tokenapi.Access {
	if g.file == nil || len(g.file.Clients) == 0 {
		return nil
	}
	rules := map[string]*posture.TokenRequirement{}
	for name, gate := range g.gates {
		if gate.Policy.Token != nil {
			rules[name] = gate.Policy.Token
		}
	}
	var clients []tokenapi.Client
	for _, c := range g.file.Clients {
		clients = append(clients, tokenapi.Client{Name: c.Name, Bearer: c.Bearer, Policies: c.Policies})
	}
	return tokenapi.NewAccess(clients, rules)
}

// clientNames are the names of the clients of the API.
func (g *generation) clientNames() (names []string) {
	if g.file == nil {
		return nil
	}
	for _, c := range g.file.Clients {
		names = append(names, c.Name)
	}
	return names
}

// useAPI puts the clients of a generation into effect.
func (s *service) useAPI(g *generation) {
	if access := g.access(); access != nil {
		s.api.Use(access)
	}
}

// newAPI makes the API of enrolment tokens.
func (s *service) newAPI() {
	s.api = &tokenapi.Handler{Tokens: s.tokens, Now: s.now, Record: s.recordAPI}
	s.useAPI(s.current)
}

// hasAPI reports whether the API exists: it does where the policy file in effect has clients.
func (s *service) hasAPI() bool {
	g := s.live.Load()
	return s.tokens != nil && g.file != nil && len(g.file.Clients) > 0
}

// route hands a request to what its path belongs to.
func (s *service) route(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.EscapedPath(); tokenapi.Handles(path) && s.hasAPI() {
		s.api.ServeHTTP(w, r)
		return
	}
	s.webhooks.ServeHTTP(w, r)
}

// routePlain is route on the listener without TLS: no webhook may call there.
func (s *service) routePlain(w http.ResponseWriter, r *http.Request) {
	if path := r.URL.EscapedPath(); tokenapi.Handles(path) && s.hasAPI() {
		s.api.ServeHTTP(w, r)
		return
	}
	http.NotFound(w, r)
}

// serveAPI serves the listener without TLS until ctx is done, if there is one. wait waits until its requests are answered.
func (s *service) serveAPI(ctx context.Context, listener net.Listener, errorLog io.Writer) (wait func()) {
	if listener == nil {
		return func() {}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		plain := server.New(http.HandlerFunc(s.routePlain), nil, apiConnections, errorLog)
		if err := plain.Serve(ctx, listener); err != nil && !errors.Is(err, http.ErrServerClosed) && ctx.Err() == nil {
			s.log.Errorf("the listener of API_ADDRESS failed: %v; webhook calls are still answered", err)
		}
	}()
	return func() { <-done }
}

// recordAPI logs a request of the API. Its ID says which token, and nothing that could be one.
func (s *service) recordAPI(e *tokenapi.Event) {
	s.metrics.TokenRequest(e.Operation, e.Code)
	fields := logrus.Fields{}
	for _, f := range []struct{ key, value string }{
		{audit.KeyReference, e.Reference}, {"operation", e.Operation}, {"client", e.Client}, {audit.KeyPolicy, e.Policy}, {audit.KeyTokenID, e.TokenID},
		{audit.KeyIdentifier, e.Identifier}, {"udid", e.UDID}, {audit.KeyCode, e.Code}, {audit.KeyReason, e.Reason},
		{audit.KeyMethod, e.Method}, {audit.KeyPath, e.Path}, {audit.KeyRemoteAddress, e.RemoteAddress}, {audit.KeyStack, e.Stack},
	} {
		if f.value != "" {
			fields[f.key] = posture.HideTokens(f.value)
		}
	}
	fields[audit.KeyStatus] = e.Status
	entry := s.log.WithFields(fields)
	switch {
	case e.Status >= http.StatusInternalServerError:
		entry.Error("[TOKENS] failed")
	case e.Status >= http.StatusBadRequest:
		entry.Warn("[TOKENS] refused")
	default:
		entry.Info("[TOKENS] " + e.Operation)
	}
}
