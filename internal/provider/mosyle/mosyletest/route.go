package mosyletest

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// maxBody bounds the body of a request, in bytes.
const maxBody = 1 << 20

// systems are the operating systems that a request may be for.
func systems() []string { return []string{"mac", "ios", "tvos", "visionos"} }

// path is that of the list of devices.
func (s *Server) devicesPath() string {
	if s.options.Product == Manager {
		return "/v2/listdevices"
	}
	return "/v1/devices"
}

// endpoint names the endpoint of a request. A request for devices says in its body for which operating system it is.
func (s *Server) endpoint(r *http.Request) string {
	switch r.URL.EscapedPath() {
	case s.prefix() + "/login":
		return Login
	case s.devicesPath():
		body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
		r.Body = io.NopCloser(bytes.NewReader(body))
		var asked struct {
			Options struct {
				OS string `json:"os"`
			} `json:"options"`
		}
		if err != nil || json.Unmarshal(body, &asked) != nil || !slices.Contains(systems(), asked.Options.OS) {
			return Devices
		}
		return Devices + " " + asked.Options.OS
	}
	return Elsewhere
}

// serve is the server without faults.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	endpoint := s.endpoint(r)
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch {
	case endpoint == Elsewhere:
		s.Violate("%s %s: there is no such endpoint", r.Method, r.URL.EscapedPath())
		writeHTML(w, http.StatusNotFound)
	case s.options.Quirks.RefusesAddress:
		writeError(w, http.StatusForbidden, "Forbidden")
	case r.Method != http.MethodPost:
		s.Violate("%s: %s is not allowed", endpoint, r.Method)
		writeError(w, http.StatusMethodNotAllowed, "Method Not Allowed")
	case r.URL.RawQuery != "":
		s.Violate("%s: a query is not understood", endpoint)
		writeError(w, http.StatusBadRequest, "Bad Request")
	case err != nil || kind != "application/json":
		s.Violate("%s: the Content-Type is not that of JSON", endpoint)
		writeError(w, http.StatusUnsupportedMediaType, "Unsupported Media Type")
	case !strings.Contains(r.Header.Get("Accept"), "application/json"):
		s.Violate("%s: the request does not ask for JSON", endpoint)
		writeError(w, http.StatusNotAcceptable, "Not Acceptable")
	case endpoint == Login:
		s.serveLogin(w, r)
	default:
		s.serveDevices(w, r, endpoint)
	}
}

// decode reads the body of a request. A member that is not known is a mistake of the client.
func (s *Server) decode(w http.ResponseWriter, r *http.Request, endpoint string, into any) bool {
	decoder := json.NewDecoder(io.LimitReader(r.Body, maxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil || decoder.More() {
		s.Violate("%s: the body is not what it should be", endpoint)
		writeStatus(w, s.options.Product, "INVALID_DATA")
		return false
	}
	return true
}

// isAccessToken compares the access token, which is in the header of one product and in the body of the other.
func (s *Server) isAccessToken(w http.ResponseWriter, r *http.Request, endpoint, inBody string) bool {
	inHeader, one := r.Header.Values("accessToken"), ""
	if len(inHeader) == 1 {
		one = inHeader[0]
	}
	if s.options.Product == Manager {
		if len(inHeader) > 0 {
			s.Violate("%s: the access token belongs into the body", endpoint)
		}
		if inBody == "" {
			s.Violate("%s: the body has no access token", endpoint)
			writeError(w, http.StatusNotFound, "accessToken Required")
			return false
		}
		one = inBody
	} else if inBody != "" || one == "" {
		s.Violate("%s: the access token belongs into the header", endpoint)
	}
	if subtle.ConstantTimeCompare([]byte(one), []byte(s.options.AccessToken)) != 1 {
		writeError(w, http.StatusUnauthorized, "Unauthorized")
		return false
	}
	return true
}

func (s *Server) serveLogin(w http.ResponseWriter, r *http.Request) {
	var body struct {
		AccessToken string `json:"accessToken"`
		Email       string `json:"email"`
		Password    string `json:"password"`
	}
	if r.Header.Get("Authorization") != "" {
		s.Violate("login: there is no Authorization yet")
	}
	if !s.decode(w, r, Login, &body) || !s.isAccessToken(w, r, Login, body.AccessToken) {
		return
	}
	same := func(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
	s.mu.Lock()
	defer s.mu.Unlock()
	if !same(body.Email, s.options.Email) || !same(body.Password, s.options.Password) {
		writeError(w, http.StatusUnauthorized, "Unauthorized")
		return
	}
	token := "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9." + rand.Text() + "." + rand.Text()
	s.tokens[token] = s.options.Now().Add(s.skew + tokenLife)
	s.issued++
	w.Header().Set("Authorization", "Bearer "+token)
	writeJSON(w, http.StatusOK, map[string]any{"UserID": "1", "email": s.options.Email, "note": vendortest.Marker})
}

// isLoggedIn refuses a request without a valid token.
func (s *Server) isLoggedIn(w http.ResponseWriter, r *http.Request, endpoint string) bool {
	values := r.Header.Values("Authorization")
	bearer := ""
	if len(values) == 1 {
		bearer, _ = strings.CutPrefix(values[0], "Bearer ")
	}
	s.mu.Lock()
	until, known := s.tokens[bearer]
	valid := known && s.options.Now().Add(s.skew).Before(until)
	s.mu.Unlock()
	if !known {
		s.Violate("%s: the request has no bearer token that was issued", endpoint)
	}
	if valid {
		return true
	}
	status := http.StatusUnauthorized
	if s.options.Quirks.ExpiredIs403 {
		status = http.StatusForbidden
	}
	writeError(w, status, "Expired token")
	return false
}

// isTooMany counts the requests of a second.
func (s *Server) isTooMany() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.recent = slices.DeleteFunc(s.recent, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	s.recent = append(s.recent, now)
	return len(s.recent) > s.options.PerSecond
}

// writeError answers with an error that has a status of its own.
func writeError(w http.ResponseWriter, status int, text string) {
	writeJSON(w, status, map[string]string{"error": text, "message": vendortest.Marker})
}

// writeStatus answers with a status inside of the answer, as Mosyle does for what concerns the request.
func writeStatus(w http.ResponseWriter, product, status string) {
	writePayload(w, product, map[string]any{"status": status, "info": vendortest.Marker})
}

// writePayload answers in the shape of the product.
func writePayload(w http.ResponseWriter, product string, payload map[string]any) {
	answer := map[string]any{"status": "OK", "response": []any{payload}}
	if product == Manager {
		answer["response"] = payload
	}
	writeJSON(w, http.StatusOK, answer)
}

func writeHTML(w http.ResponseWriter, status int) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, "<html><head><title>Mosyle</title></head><body>"+vendortest.Marker+"</body></html>")
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(err.Error())
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}
