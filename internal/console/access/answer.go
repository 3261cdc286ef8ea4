package access

import (
	"crypto/subtle"
	"net/http"
	"net/url"
)

// statusWriter keeps the status of an answer.
type statusWriter struct {
	http.ResponseWriter

	status int
}

// WriteHeader notes the status.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write notes that the status is 200, unless there is one.
func (w *statusWriter) Write(text []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(text)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// redirect sends a client to another page with GET. http.Redirect would repair the path, and add a page.
func redirect(w http.ResponseWriter, to string) {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

func queryOf(name, value string) string { return url.Values{name: {value}}.Encode() }

// field is a field of a form; empty where it is not there exactly once.
func (x *exchange) field(name string) string {
	if all := x.r.PostForm[name]; len(all) == 1 { //nolint:forbidigo // the field of a request, no request of the default client
		return all[0]
	}
	return ""
}

// checkCSRF refuses a form without the token that belongs to the cookie; ok is false where there is no cookie.
func (x *exchange) checkCSRF(of kind, s secret, ok bool) *refusal {
	if ok && subtle.ConstantTimeCompare([]byte(x.field(FieldCSRF)), []byte(x.key.csrf(of, s))) == 1 {
		return nil
	}
	return &refusal{status: http.StatusForbidden, text: "The form is no longer good, and was not carried out. Open the page again.", reason: "the token against cross-site request forgery is missing or wrong"}
}
