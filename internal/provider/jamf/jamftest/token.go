package jamftest

import (
	"crypto/rand"
	"crypto/subtle"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// token is a bearer token that was issued.
type token struct {
	privileges []string // that its client had when it was issued
	expires    time.Time
	revoked    bool
}

// Revoke makes every token that was issued until now invalid.
func (s *Server) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.tokens {
		t.revoked = true
	}
}

// Expire puts the clock forward until every token that was issued has expired.
func (s *Server) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.options.Now().Add(s.skew)
	for _, t := range s.tokens {
		if left := t.expires.Sub(now); left > 0 {
			s.skew += left
			now = now.Add(left)
		}
	}
}

// TokensIssued returns how many tokens were issued.
func (s *Server) TokensIssued() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issued
}

// Secrets returns everything that must not be seen outside of a client: the secrets, the tokens, and
// the marker of the server's own texts.
func (s *Server) Secrets() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	secrets := append(slices.Collect(maps.Keys(s.tokens)), vendortest.Marker)
	for _, c := range s.options.Clients {
		secrets = append(secrets, c.Secret)
	}
	return secrets
}

// serveToken is the client credentials grant of OAuth 2.0 (RFC 6749 section 4.4), the credentials in
// the body.
func (s *Server) serveToken(w http.ResponseWriter, r *http.Request) {
	if r.URL.RawQuery != "" || r.Header.Get("Authorization") != "" {
		s.Violate("token: the credentials belong into the body")
		writeOAuthError(w, http.StatusBadRequest, "invalid_request")
		return
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		s.Violate("token: the Content-Type is not that of a form")
		writeError(w, http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE", "")
		return
	}
	if err := r.ParseForm(); err != nil {
		s.Violate("token: the body is not a form")
		writeOAuthError(w, http.StatusBadRequest, "invalid_request")
		return
	}
	for name, values := range r.PostForm {
		if !slices.Contains([]string{"grant_type", "client_id", "client_secret", "scope"}, name) || len(values) != 1 {
			s.Violate("token: the form has unknown or repeated fields")
			writeOAuthError(w, http.StatusBadRequest, "invalid_request")
			return
		}
	}
	if r.PostForm.Get("grant_type") != "client_credentials" {
		s.Violate("token: the grant type is not client_credentials")
		writeOAuthError(w, http.StatusBadRequest, "unsupported_grant_type")
		return
	}
	s.issue(w, r.PostForm)
}

func (s *Server) issue(w http.ResponseWriter, form url.Values) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.options.Clients, func(c Client) bool {
		return c.ID == form.Get("client_id") && subtle.ConstantTimeCompare([]byte(c.Secret), []byte(form.Get("client_secret"))) == 1
	})
	if i < 0 {
		writeOAuthError(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	client := s.options.Clients[i]
	text := "eyJhbGciOiJIUzI1NiJ9." + rand.Text() + "." + rand.Text()
	lifetime := time.Duration(client.ExpiresIn) * time.Second
	s.tokens[text] = &token{privileges: slices.Clone(client.Privileges), expires: s.options.Now().Add(s.skew + lifetime)}
	s.issued++
	writeJSON(w, http.StatusOK, struct {
		AccessToken string `json:"access_token"`
		Scope       string `json:"scope"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int    `json:"expires_in"`
	}{text, "api-role:4", "Bearer", client.ExpiresIn})
}

func writeOAuthError(w http.ResponseWriter, status int, code string) {
	writeJSON(w, status, struct {
		Error            string `json:"error"`
		ErrorDescription string `json:"error_description"`
	}{code, vendortest.Marker})
}

// authenticate returns the token of a request; good says that it is valid.
func (s *Server) authenticate(r *http.Request, endpoint string) (bearer string, good bool) {
	values := r.Header.Values("Authorization")
	if len(values) != 1 || !strings.HasPrefix(values[0], "Bearer ") {
		s.Violate("%s: the request has no bearer token", endpoint)
		return "", false
	}
	bearer = strings.TrimPrefix(values[0], "Bearer ")
	s.mu.Lock()
	t, known := s.tokens[bearer]
	valid := known && !t.revoked && s.options.Now().Add(s.skew).Before(t.expires)
	s.mu.Unlock()
	if !known {
		s.Violate("%s: the bearer token was never issued", endpoint)
	}
	return bearer, valid
}

// privileges returns those of a token.
func (s *Server) privileges(bearer string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tokens[bearer]; t != nil {
		return t.privileges
	}
	return nil
}

func (s *Server) serveInvalidate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")].revoked = true
	w.WriteHeader(http.StatusNoContent)
}

func (s *Server) serveVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"version": s.options.Version})
}

// serveAuth answers what the client may do.
func (s *Server) serveAuth(w http.ResponseWriter, r *http.Request) {
	type account struct {
		ID               string              `json:"id"`
		Username         string              `json:"username"`
		AccessLevel      string              `json:"accessLevel"`
		PrivilegeSet     string              `json:"privilegeSet"`
		PrivilegesBySite map[string][]string `json:"privilegesBySite"`
	}
	bearer := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	writeJSON(w, http.StatusOK, struct {
		Account            account  `json:"account"`
		AccountGroups      []string `json:"accountGroups"`
		Sites              []string `json:"sites"`
		AuthenticationType string   `json:"authenticationType"`
	}{
		account{"1", "api-client", "FullAccess", "CUSTOM", map[string][]string{"-1": s.privileges(bearer)}},
		[]string{},
		[]string{},
		"JSS",
	})
}
