package idp

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// codeLife is how long a code may be exchanged.
const codeLife = time.Minute

// grant is what a code stands for.
type grant struct {
	user             User
	redirect         string
	challenge, nonce string
	expires          time.Time
}

func (p *Provider) discover(w http.ResponseWriter, r *http.Request) {
	if p.spoil(w, r, endpointFaults{slow: DiscoverySlow, failed: DiscoveryError, garbage: DiscoveryGarbage, redirect: DiscoveryRedirect}) {
		return
	}
	issuer, base := p.Issuer, p.Issuer
	if p.has(DiscoveryOtherIssuer) {
		issuer = "https://localhost:1"
	}
	if p.has(DiscoveryPlainHTTP) {
		base = strings.Replace(base, "https:", "http:", 1)
	}
	answer(w, http.StatusOK, map[string]any{
		"issuer": issuer, "jwks_uri": base + KeysPath, "authorization_endpoint": base + AuthorizePath, "token_endpoint": base + TokenPath,
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"scopes_supported":                      []string{"openid", "profile", "email", "groups"},
		"id_token_signing_alg_values_supported": []string{"RS256", "ES256"},
		"code_challenge_methods_supported":      []string{"S256"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic", "client_secret_post"},
	})
}

func (p *Provider) showKeys(w http.ResponseWriter, r *http.Request) {
	if p.spoil(w, r, endpointFaults{slow: KeysSlow, failed: KeysError, garbage: KeysGarbage}) {
		return
	}
	p.mu.Lock()
	set := p.keys.public()
	p.mu.Unlock()
	if p.has(KeysEmpty) {
		set = []map[string]string{}
	}
	answer(w, http.StatusOK, map[string]any{"keys": set})
}

// authorize shows the page on which a person logs in. A provider that trusted a client's mistakes would hide them.
func (p *Provider) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	if wrong := p.wrong(query); wrong != "" {
		http.Error(w, "the client's request is wrong: "+wrong, http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	user, known := p.users[p.auto]
	p.mu.Unlock()
	if known {
		p.comeBack(w, r, query, user)
		return
	}
	p.show(w, http.StatusOK, query, "")
}

// wrong says what is wrong with a request for authorization; it is empty for nothing. PKCE, state and nonce are required.
func (p *Provider) wrong(query url.Values) string {
	p.mu.Lock()
	registered := p.redirects[query.Get("redirect_uri")]
	p.mu.Unlock()
	switch {
	case query.Get("client_id") != p.ClientID:
		return "client_id is unknown"
	case !registered:
		return "redirect_uri is not registered: " + query.Get("redirect_uri")
	case query.Get("response_type") != "code":
		return "response_type is not code"
	case !slices.Contains(strings.Fields(query.Get("scope")), "openid"):
		return "scope lacks openid"
	case query.Get("state") == "":
		return "state is missing"
	case query.Get("nonce") == "":
		return "nonce is missing"
	case query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43:
		return "code_challenge is not one of S256"
	}
	return ""
}

// logIn takes the page of authorize.
func (p *Provider) logIn(w http.ResponseWriter, r *http.Request) {
	query, err := url.ParseQuery(r.PostFormValue("request"))
	if err != nil {
		http.Error(w, "the request was changed", http.StatusBadRequest)
		return
	}
	if wrong := p.wrong(query); wrong != "" {
		http.Error(w, "the client's request is wrong: "+wrong, http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	user, known := p.users[r.PostFormValue("user")]
	p.mu.Unlock()
	if !known || subtle.ConstantTimeCompare([]byte(user.Password), []byte(r.PostFormValue("password"))) != 1 {
		p.show(w, http.StatusUnauthorized, query, "Wrong user name or password.")
		return
	}
	p.comeBack(w, r, query, user)
}

// comeBack sends the person back to the client, with a code.
func (p *Provider) comeBack(w http.ResponseWriter, r *http.Request, query url.Values, user User) {
	code := rand.Text()
	p.change(func() {
		p.codes[code] = grant{
			user: user, redirect: query.Get("redirect_uri"), challenge: query.Get("code_challenge"), nonce: query.Get("nonce"),
			expires: time.Now().Add(codeLife),
		}
	})
	back := url.Values{"code": {code}, "state": {query.Get("state")}}
	switch {
	case p.has(Denied):
		back = url.Values{"error": {"access_denied"}, "error_description": {"<b>denied</b>"}, "state": {query.Get("state")}}
	case p.has(WrongState):
		back.Set("state", rand.Text())
	case p.has(WrongCode):
		back.Set("code", rand.Text())
	}
	http.Redirect(w, r, query.Get("redirect_uri")+"?"+back.Encode(), http.StatusSeeOther) //nolint:gosec // wrong has compared it with those that are registered
}

// token exchanges a code, once.
func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	if p.spoil(w, r, endpointFaults{slow: TokenSlow, failed: TokenError, garbage: TokenGarbage, huge: TokenHuge, redirect: TokenRedirect}) {
		return
	}
	id, secret, basic := r.BasicAuth()
	if basic {
		// RFC 6749, 2.3.1: both are form-encoded before.
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	}
	if id != p.ClientID || subtle.ConstantTimeCompare([]byte(secret), []byte(p.ClientSecret)) != 1 {
		answer(w, http.StatusUnauthorized, map[string]string{"error": "invalid_client"})
		return
	}
	code := r.PostFormValue("code")
	p.mu.Lock()
	granted, known := p.codes[code]
	delete(p.codes, code)
	p.mu.Unlock()
	verifier := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || time.Now().After(granted.expires) || r.PostFormValue("grant_type") != "authorization_code" ||
		r.PostFormValue("redirect_uri") != granted.redirect || base64.RawURLEncoding.EncodeToString(verifier[:]) != granted.challenge {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	tokens := map[string]any{"access_token": rand.Text(), "token_type": "Bearer", "expires_in": 300}
	if !p.has(TokenWithoutID) {
		signed, err := p.sign(granted)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		tokens["id_token"] = signed
	}
	answer(w, http.StatusOK, tokens)
}

func answer(w http.ResponseWriter, status int, content any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// The client has gone; nobody reads the error.
	_ = json.NewEncoder(w).Encode(content)
}

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Identity provider of the tests</title><link rel="icon" href="data:,"></head>
<body>
<main>
<h1>Identity provider of the tests</h1>
{{with .Wrong}}<p role="alert">{{.}}</p>{{end}}
<form method="post" action="` + AuthorizePath + `">
<input type="hidden" name="request" value="{{.Request}}">
<p><label>User name <input name="user" autocomplete="username" required></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password" required></label></p>
<p><button>Log in</button></p>
</form>
</main>
</body>
</html>
`

// show shows the page for the log-in.
func (p *Provider) show(w http.ResponseWriter, status int, query url.Values, wrong string) {
	parsed, err := template.New("page").Parse(page)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_ = parsed.Execute(w, struct{ Request, Wrong string }{query.Encode(), wrong})
}
