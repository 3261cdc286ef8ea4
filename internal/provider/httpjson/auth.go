package httpjson

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/filesys"
	"step-posture-connector/internal/provider/vendorhttp"
)

const (
	acceptedSecret = "{{secret.NAME}}" //nolint:gosec // G101: the form of a placeholder
	remedy         = "check auth and secrets of the inventory"
)

func authShape() *document.Shape {
	secret := func(about string) *document.Shape {
		return &document.Shape{Type: document.Text, Accepted: acceptedSecret, About: about}
	}
	of := func(word string, keys ...document.Key) document.Case {
		names := &document.Shape{Type: document.Text, Words: []string{"bearer", "header", "basic", "mtls", "oauth2_client_credentials"}, About: "How requests show who sends them."}
		s := document.MapOf(append([]document.Key{document.Required("type", names)}, keys...)...)
		s.Name = "http_auth_" + word
		return document.Case{Word: word, Shape: s}
	}
	s := &document.Shape{Type: document.Map, Name: "http_auth", By: "type", About: "How requests show who sends them; without it they do not.", Accepted: "a type with its keys"}
	s.Cases = []document.Case{
		of("bearer", document.Required("token", secret("The token of the Authorization header."))),
		of("header", document.Required("name", text("The name of the header.", "the name of a header")), document.Required("value", secret("Its value, with {{secret.NAME}} in it."))),
		of("basic", document.Required("username", secret("The user name, or {{secret.NAME}}.")), document.Required("password", secret(`{{secret.NAME}}, or "" where the user name is the secret.`))),
		of("mtls", document.Required("cert", text("A PEM file with the client certificate and its chain.", "the path of a PEM file")), document.Required("key", text("A PEM file with its private key.", "the path of a PEM file"))),
		of("oauth2_client_credentials",
			document.Required("token_url", text("Where tokens are issued; it may be on another host.", "https://… of the token endpoint")),
			document.Required("client_id", secret("The ID of the client.")),
			document.Required("client_secret", secret("Its secret.")),
			document.Optional("client_auth", &document.Shape{Type: document.Text, Words: []string{"body", "basic"}, Default: "body", About: "Where ID and secret are sent: in the body, or as a Basic header."}),
			document.Optional("scope", text("The scopes that are asked for, separated by spaces.", "scopes separated by spaces"))),
	}
	return s
}

// credential is one way to authenticate, as the section has it.
type credential struct {
	kind         string
	header       string // that it sets; empty for a client certificate
	user, secret template
	tokenURL     *url.URL
	basic        bool
	scopes       []string
	cert, key    string // paths
}

// auth reads one way to authenticate, or a list of them.
func (r *reader) auth(v document.Value) {
	if !v.IsSet() {
		return
	}
	all := []document.Value{v.As(authShape())}
	if v.IsList() {
		all, _ = v.List()
	}
	set := map[string]bool{}
	for _, one := range all {
		word, of, ok := one.As(authShape()).Case()
		if !ok {
			continue
		}
		c := r.credential(word, of.Mapping())
		if c.header != "" && set[http.CanonicalHeaderKey(c.header)] {
			one.Fault("ways that set different headers", "another way to authenticate sets the header %s too", http.CanonicalHeaderKey(c.header))
		}
		if c.kind == "mtls" && set["mtls"] || strings.HasPrefix(c.kind, "oauth2") && set["oauth2"] {
			one.Fault("one of each", "another way to authenticate is of the same type")
		}
		set[http.CanonicalHeaderKey(c.header)], set[strings.TrimSuffix(c.kind, "_client_credentials")] = true, true
		r.config.credentials = append(r.config.credentials, c)
	}
	for _, h := range r.config.headers {
		if r.isOfAuth(h.name) {
			v.Fault("each header once", "headers sets the header %s too", http.CanonicalHeaderKey(h.name))
		}
	}
}

// isOfAuth reports whether auth sets a header.
func (r *reader) isOfAuth(name string) bool {
	return slices.ContainsFunc(r.config.credentials, func(c credential) bool {
		return c.header != "" && http.CanonicalHeaderKey(c.header) == http.CanonicalHeaderKey(name)
	})
}

func (r *reader) credential(word string, m document.Mapping) credential {
	c := credential{kind: word, header: "Authorization"}
	r.note(m.Path()+".type", word)
	secret := func(key string, mayBeEmpty bool) template {
		v := m.Get(key)
		text, ok := v.Text()
		if !ok || text == "" && mayBeEmpty {
			return template{}
		}
		r.faulty = false
		t := r.template(v, text, allowed{secrets: true})
		if !r.faulty && !t.has(isSecret) {
			v.Fault(acceptedSecret, "a secret does not belong in this file")
		}
		return t
	}
	public := func(key string) template {
		text, ok := m.Get(key).Text()
		if !ok {
			return template{}
		}
		if text == "" {
			m.Get(key).Fault("text", "it is empty")
		}
		return r.template(m.Get(key), text, allowed{secrets: true})
	}
	plain := func(key string) string {
		text, _ := m.Get(key).Text()
		r.note(m.Path()+"."+key, text)
		return text
	}
	switch word {
	case "bearer":
		c.secret = secret("token", false)
	case "header":
		c.header, c.secret = plain("name"), secret("value", false)
		if c.header != "" && !headerName.MatchString(c.header) {
			m.Get("name").Fault("the name of a header", "it is no name of a header")
		}
		if ours(c.header) {
			m.Get("name").Fault("another header", "the connector sets this header itself")
		}
	case "basic":
		c.user = public("username")
		c.secret = secret("password", c.user.has(isSecret))
	case "mtls":
		c.header = ""
		c.cert, c.key = r.file(plain("cert")), r.file(plain("key"))
	case "oauth2_client_credentials":
		c.user, c.secret = public("client_id"), secret("client_secret", false)
		c.basic = plain("client_auth") == "basic"
		c.scopes = strings.Fields(plain("scope"))
		c.tokenURL = r.url(m.Get("token_url"), "https://… of the token endpoint")
		if c.tokenURL != nil && c.tokenURL.Scheme != "https" && !r.isBase(c.tokenURL) {
			m.Get("token_url").Fault("https://… of the token endpoint", "does not begin with https://")
		}
	}
	return c
}

// revealed is a secret that a template makes of secrets.
func (c *Config) revealed(t template) config.Secret {
	text, err := t.render(context.Background(), values{secrets: c.secrets})
	if err != nil {
		return config.Secret{} // a template in auth has vars and secrets only
	}
	return config.NewSecret([]byte(text))
}

// authenticate returns what the client sends.
func (c *Config) authenticate() (auth vendorhttp.Auth, certificate func(*tls.CertificateRequestInfo) (*tls.Certificate, error), err error) {
	var all vendorhttp.Several
	for _, one := range c.credentials {
		secret := c.revealed(one.secret)
		if strings.ContainsFunc(string(secret.Reveal()), func(c rune) bool { return c < ' ' || c > '~' }) && one.kind != "basic" {
			return nil, nil, errors.New("auth: a secret has a character that no header may have, such as a line break")
		}
		switch one.kind {
		case "bearer":
			all = append(all, vendorhttp.StaticHeader{Name: one.header, Prefix: "Bearer ", Value: secret, Remedy: remedy})
		case "header":
			all = append(all, vendorhttp.StaticHeader{Name: one.header, Value: secret, Remedy: remedy})
		case "basic":
			// RFC 7617 section 2: what is behind the first colon is the password.
			if strings.Contains(string(c.revealed(one.user).Reveal()), ":") {
				return nil, nil, errors.New("auth: the user name has a colon, where the server would take the rest for the password")
			}
			all = append(all, vendorhttp.Basic{User: c.revealed(one.user), Password: secret, Remedy: remedy})
		case "oauth2_client_credentials":
			all = append(all, vendorhttp.ClientCredentials{
				ID: string(c.revealed(one.user).Reveal()), Secret: secret, URL: one.tokenURL, Basic: one.basic, Scopes: one.scopes, Remedy: remedy,
			})
		case "mtls":
			load := func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				return clientCertificate(one.cert, one.key)
			}
			if _, err := load(nil); err != nil {
				return nil, nil, err
			}
			certificate = load
		}
	}
	switch len(all) {
	case 0:
		return vendorhttp.NoAuth{Remedy: remedy}, certificate, nil
	case 1:
		return all[0], certificate, nil
	}
	return all, certificate, nil
}

// clientCertificate reads a client certificate. It is read for each connection, so that a renewed one is used at once.
func clientCertificate(cert, key string) (*tls.Certificate, error) {
	chain, err := readFile(cert)
	if err != nil {
		return nil, fmt.Errorf("auth: cert: %w", err)
	}
	private, err := readFile(key)
	if err != nil {
		return nil, fmt.Errorf("auth: key: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, private)
	if err != nil {
		return nil, errors.New("auth: cert and key are no PEM files of a certificate and its private key")
	}
	return &pair, nil
}

// readFile reads a small file.
func readFile(path string) ([]byte, error) {
	file, err := filesys.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, filesys.Cause(err))
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxCertificate+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", path, filesys.Cause(err))
	case len(content) > maxCertificate:
		return nil, fmt.Errorf("%s: it has more than %d bytes", path, maxCertificate)
	}
	return content, nil
}
