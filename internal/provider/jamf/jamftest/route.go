package jamftest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"step-posture-connector/internal/provider/providertest/vendortest"
)

// route is where a request goes.
type route struct {
	endpoint  string
	privilege string // none: any valid token
	open      bool   // no token is asked for
	method    string
	absent    bool // this server does not have it
	serve     func(w http.ResponseWriter, r *http.Request)
}

// find returns the route of a path, which is taken as it was sent.
func (s *Server) find(r *http.Request) route {
	path, inContext := strings.CutPrefix(r.URL.EscapedPath(), s.options.ContextPath+"/")
	if !inContext {
		return route{endpoint: Elsewhere}
	}
	get := http.MethodGet
	switch path {
	case "api/v1/oauth/token":
		return route{endpoint: Token, open: true, method: http.MethodPost, absent: s.options.OnlyOldToken, serve: s.serveToken}
	case "api/oauth/token":
		return route{endpoint: OldToken, open: true, method: http.MethodPost, serve: s.serveToken}
	case "api/v1/auth/invalidate-token":
		return route{endpoint: InvalidateToken, method: http.MethodPost, serve: s.serveInvalidate}
	case "api/v1/jamf-pro-version":
		return route{endpoint: Version, method: get, serve: s.serveVersion}
	case "api/v1/auth":
		return route{endpoint: Auth, method: get, serve: s.serveAuth}
	case "api/v2/mobile-devices/detail":
		return route{endpoint: MobileDevices, privilege: ReadMobileDevices, method: get, serve: s.serveMobileDevices}
	case "api/v1/departments":
		return route{endpoint: Departments, privilege: ReadDepartments, method: get, serve: s.serveDepartments}
	}
	if number, ok := strings.CutSuffix(path, "/computers-inventory"); ok && len(number) == len("api/v1") && strings.HasPrefix(number, "api/v") {
		n, err := strconv.Atoi(number[len("api/v"):])
		return route{
			endpoint: Computers + number[len("api/v"):], privilege: ReadComputers, method: get,
			absent: err != nil || !slices.Contains(s.options.ComputerVersions, n),
			serve:  func(w http.ResponseWriter, r *http.Request) { s.serveComputers(w, r, n) },
		}
	}
	if id, ok := strings.CutPrefix(path, "api/v1/departments/"); ok {
		return route{
			endpoint: Department, privilege: ReadDepartments, method: get,
			serve: func(w http.ResponseWriter, _ *http.Request) { s.serveDepartment(w, id) },
		}
	}
	if rest, ok := strings.CutPrefix(path, "JSSResource/computers/serialnumber/"); ok {
		return s.classicRoute(ClassicComputers, ReadComputers, rest)
	}
	if rest, ok := strings.CutPrefix(path, "JSSResource/mobiledevices/serialnumber/"); ok {
		return s.classicRoute(ClassicMobile, ReadMobileDevices, rest)
	}
	return route{endpoint: Elsewhere}
}

// classicRoute is that of a serial number, with or without a subset behind it.
func (s *Server) classicRoute(endpoint, privilege, rest string) route {
	parts := strings.Split(rest, "/")
	if parts[0] == "" || len(parts) != 1 && (len(parts) != 3 || parts[1] != "subset") {
		return route{endpoint: Elsewhere}
	}
	subset := ""
	if len(parts) == 3 {
		subset = parts[2]
	}
	return route{
		endpoint: endpoint, privilege: privilege, method: http.MethodGet,
		serve: func(w http.ResponseWriter, r *http.Request) {
			s.serveClassic(w, r, endpoint == ClassicComputers, parts[0], subset)
		},
	}
}

func (s *Server) endpoint(r *http.Request) string { return s.find(r).endpoint }

// serve is the server without faults.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if s.options.Seen != nil {
		s.options.Seen(r)
	}
	if !s.delay(r) {
		return
	}
	to := s.find(r)
	classic := strings.HasPrefix(to.endpoint, "classic-")
	refuse := writeError
	if classic {
		refuse = writeHTML
	}
	switch {
	case to.serve == nil:
		s.Violate("%s %s: there is no such endpoint", r.Method, r.URL.EscapedPath())
		writeHTML(w, http.StatusNotFound, "", "")
		return
	case to.absent:
		writeError(w, http.StatusNotFound, "NOT_FOUND", "this server does not have the endpoint")
		return
	case r.Method != to.method:
		s.Violate("%s: %s is not allowed", to.endpoint, r.Method)
		refuse(w, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED", "")
		return
	}
	if !to.open {
		bearer, good := s.authenticate(r, to.endpoint)
		if !good {
			refuse(w, http.StatusUnauthorized, "INVALID_TOKEN", "Unauthorized")
			return
		}
		if to.privilege != "" && !slices.Contains(s.privileges(bearer), to.privilege) {
			refuse(w, http.StatusForbidden, "INVALID_PRIVILEGE", "Forbidden")
			return
		}
	}
	to.serve(w, r)
}

// apiError is the error body of the Jamf Pro API.
type apiError struct {
	HTTPStatus int              `json:"httpStatus"`
	Errors     []apiErrorDetail `json:"errors"`
}

type apiErrorDetail struct {
	Code        string  `json:"code"`
	Description string  `json:"description"`
	ID          string  `json:"id"`
	Field       *string `json:"field"`
}

func writeError(w http.ResponseWriter, status int, code, description string) {
	detail := apiErrorDetail{Code: code, Description: description + " " + vendortest.Marker, ID: "0"}
	writeJSON(w, status, apiError{status, []apiErrorDetail{detail}})
}

// writeHTML answers as the Classic API does, also when JSON was asked for.
func writeHTML(w http.ResponseWriter, status int, _, _ string) {
	w.Header().Set("Content-Type", "text/html;charset=UTF-8")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, "<html>\n<head>\n   <title>Status page</title>\n</head>\n<body>\n<p>%s</p>\n<p>%s</p>\n</body>\n</html>\n",
		http.StatusText(status), vendortest.Marker)
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
