package daemon

import (
	"io"
	"net/http"

	"github.com/sirupsen/logrus"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/compat"
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

// idleListener warns of a listener of API_ADDRESS that has nothing to serve.
func (d *Daemon) idleListener() []string {
	if d.config.APIAddress.Off() || d.sources.dropIn != nil || len(d.current.clientNames()) > 0 {
		return nil
	}
	return []string{"API_ADDRESS is set, but there are no clients of the API: every request there is answered with 404; list them in tokens.clients of the policy file"}
}

// useAPI puts the clients of a generation into effect.
func (s *service) useAPI(g *generation) {
	if access := g.access(); access != nil {
		s.api.Use(access)
	}
}

// newAPI makes the API of enrolment tokens.
func (s *service) newAPI() {
	s.api = &tokenapi.Handler{Tokens: s.tokens, Now: s.now, Record: s.recordAPI, Trust: server.Trust}
	s.useAPI(s.current)
}

// hasAPI reports whether the API exists: it does where the policy file in effect has clients.
func (s *service) hasAPI() bool {
	g := s.live.Load()
	return s.tokens != nil && g.file != nil && len(g.file.Clients) > 0
}

// route hands a request to what its path belongs to.
func (s *service) route(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case tokenapi.Handles(path) && s.hasAPI():
		s.api.ServeHTTP(w, r)
	case tokenapi.Handles(path) && s.tokens != nil:
		s.api.Closed(w, r) // its clients went with a reload: the path has the ID of a token as before
	case s.demo != nil && compat.Handles(path):
		s.demo.ServeHTTP(w, r)
	default:
		s.webhooks.ServeHTTP(w, r)
	}
}

// routePlain is route on the listener without TLS: no webhook may call there, and no key of mdmsecuritydemo go over it.
func (s *service) routePlain(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.EscapedPath(); {
	case tokenapi.Handles(path) && s.hasAPI():
		s.api.ServeHTTP(w, r)
	case s.demo != nil:
		s.demo.QueriesOnly().ServeHTTP(w, r)
	default:
		s.api.Closed(w, r)
	}
}

// apiServer makes the server of API_ADDRESS; nil without one.
func (s *service) apiServer(errorLog io.Writer) *server.Server {
	if s.config.APIAddress.Off() {
		return nil
	}
	return server.New(http.HandlerFunc(s.routePlain), nil, apiConnections, errorLog)
}

// recordAPI logs a request of the API of tokens. Its ID says which token, and nothing that could be one.
func (s *service) recordAPI(e *tokenapi.Event) {
	s.metrics.TokenRequest(e.Operation, e.Code)
	s.logRequest("TOKENS", e.Operation, e.Status, []field{
		{audit.KeyReference, e.Reference},
		{"operation", e.Operation},
		{"client", e.Client},
		{audit.KeyPolicy, e.Policy},
		{audit.KeyTokenID, e.TokenID},
		{audit.KeyIdentifier, e.Identifier},
		{"udid", e.UDID},
		{audit.KeyCode, e.Code},
		{audit.KeyReason, e.Reason},
		{audit.KeyMethod, e.Method},
		{audit.KeyPath, e.Path},
		{audit.KeyRemoteAddress, e.RemoteAddress},
		{audit.KeyStack, e.Stack},
	})
}

// recordDemo logs a request of enrollhandler of mdmsecuritydemo.
func (s *service) recordDemo(e *compat.Event) {
	if e.Operation != "" {
		s.metrics.TokenRequest(e.Operation, e.Code)
	}
	s.logRequest("DEMO", e.Operation, e.Status, []field{
		{audit.KeyReference, e.Reference},
		{"operation", e.Operation},
		{audit.KeyPolicy, e.Policy},
		{audit.KeyTokenID, e.TokenID},
		{audit.KeyIdentifier, e.Identifier},
		{"udid", e.UDID},
		{audit.KeyCode, e.Code},
		{audit.KeyReason, e.Reason},
		{audit.KeyMethod, e.Method},
		{audit.KeyPath, e.Path},
		{audit.KeyRemoteAddress, e.RemoteAddress},
		{audit.KeyStack, e.Stack},
	})
}

// field is a key of a log line with its value; an empty one is left out.
type field struct{ key, value string }

// logRequest logs a request that is no webhook's.
func (s *service) logRequest(of, operation string, status int, fields []field) {
	known := logrus.Fields{audit.KeyStatus: status}
	for _, f := range fields {
		if f.value != "" {
			known[f.key] = posture.HideTokens(f.value)
		}
	}
	entry := s.log.WithFields(known)
	switch {
	case status >= http.StatusInternalServerError:
		entry.Errorf("[%s] failed", of)
	case status >= http.StatusBadRequest && known[audit.KeyCode] != string(posture.DeviceNotFound): // which is an answer
		entry.Warnf("[%s] refused", of)
	default:
		entry.Infof("[%s] %s", of, operation)
	}
}
