package mosyle

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider/vendorhttp"
	"step-posture-connector/internal/provider/vendorjson"
)

// product is what differs between the two products.
type product struct {
	name, title, base string
	devices           string // the path of the list of devices
	tokenInBody       bool   // the access token is a member of each body, and no header
	operation         string // a member of the body that says what to do
}

func productOf(name string) product {
	if name == "manager" {
		return product{name: name, title: "Mosyle Manager", base: "https://managerapi.mosyle.com/v2", devices: "/listdevices", tokenInBody: true}
	}
	return product{name: "business", title: "Mosyle Business", base: "https://businessapi.mosyle.com/v1", devices: "/devices", operation: "list"}
}

// system is an operating system as requests name it. A request is for one of them.
type system string

// systemsOf are those that a device of a type may have.
func systemsOf(t posture.DeviceType) []system {
	computers, mobile := []system{"mac"}, []system{"ios", "tvos", "visionos"}
	switch t {
	case posture.Computer:
		return computers
	case posture.MobileDevice:
		return mobile
	case posture.AnyDevice:
	}
	return slices.Concat(computers, mobile)
}

// endpoint names it in errors and counts.
func (s system) endpoint() string { return "devices " + string(s) }

// contradicts reports whether a record says that the device has another operating system than was asked for.
func (s system) contradicts(r *record) bool {
	of := r.system()
	return of != "" && of != s
}

// ask is what a page of devices is asked by.
type ask struct {
	system system
	serial string // of one device; empty for all of them
	size   int    // 0 is as many as Mosyle likes
	page   *int   // nil is the first one: sources differ in whether it is 0 or 1, and the answer says it
}

// next is for the page behind the one that was answered.
func (a ask) next(got page) (ask, error) {
	if got.number == nil {
		// Fail closed: a page that is left out would look like devices that do not exist.
		return ask{}, errors.New(a.system.endpoint() + ": the answer does not say which page it is")
	}
	a.page = new(*got.number + 1)
	return a, nil
}

// page is an answer.
type page struct {
	devices []vendorjson.Record[record]
	end     bool // there is no device on it
	rows    int  // of the whole list, or of the page: sources differ; 0 where it is not said
	number  *int
}

// body is that of every request.
type body struct {
	AccessToken string   `json:"accessToken,omitzero"`
	Operation   string   `json:"operation,omitzero"`
	Email       string   `json:"email,omitzero"`
	Password    string   `json:"password,omitzero"`
	Options     *options `json:"options,omitzero"`
}

type options struct {
	OS            system   `json:"os"`
	SerialNumbers []string `json:"serial_numbers,omitzero"`
	Page          *int     `json:"page,omitzero"`
	PageSize      int      `json:"page_size,omitzero"`
}

// request makes a request, with the access token where the product wants it.
func (p *Provider) request(endpoint, path string, b body) (vendorhttp.Request, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	token := string(p.config.AccessToken.Reveal())
	if p.product.tokenInBody {
		b.AccessToken = token
	} else {
		header.Set("accessToken", token)
	}
	text, err := json.Marshal(b)
	if err != nil {
		return vendorhttp.Request{}, errors.New(endpoint + ": the request cannot be made") // the error may quote a secret
	}
	return vendorhttp.Request{Endpoint: endpoint, Method: http.MethodPost, Path: path, Header: header, Body: text}, nil
}

func (p *Provider) login() (vendorhttp.Request, error) {
	r, err := p.request("login", "/login", body{Email: p.config.Email, Password: string(p.config.Password.Reveal())})
	r.MaxAnswer = maxLogin
	return r, err
}

// token finds the token in the answer to a login, which has it in a header.
func (p *Provider) token(a vendorhttp.Answer) (token string, lifetime time.Duration, err error) {
	kind, token, spaced := strings.Cut(a.Header.Get("Authorization"), " ")
	switch {
	case a.Status == http.StatusNotFound && p.product.tokenInBody && isTokenRequired(a.Body):
		return "", 0, fmt.Errorf("%w: check MOSYLE_ACCESS_TOKEN", posture.ErrCredentials)
	case a.Status == http.StatusNotFound:
		return "", 0, fmt.Errorf("%w: it has no login; check MOSYLE_PRODUCT too", p.Other())
	case a.Status != http.StatusOK:
		return "", 0, fmt.Errorf("the login was answered with %d", a.Status)
	case !spaced || !strings.EqualFold(kind, "Bearer") || strings.TrimSpace(token) == "":
		return "", 0, fmt.Errorf("%w: the answer to the login has no token", p.Other())
	}
	return strings.TrimSpace(token), tokenUse, nil
}

// isTokenRequired reports whether the server misses the access token, which Mosyle Manager says with 404.
func isTokenRequired(text []byte) bool {
	var answer struct {
		Error vendorjson.Text `json:"error"`
	}
	return json.Unmarshal(text, &answer) == nil && answer.Error.Said() == "accessToken Required"
}

// payload is what both products answer.
type payload struct {
	Status   vendorjson.Text              `json:"status"`
	Devices  *[]vendorjson.Record[record] `json:"devices"`
	Rows     vendorjson.Text              `json:"rows"`
	Page     vendorjson.Text              `json:"page"`
	PageSize vendorjson.Text              `json:"page_size"`
}

// page asks for a page of devices.
func (p *Provider) page(ctx context.Context, a ask) (page, error) {
	o := &options{OS: a.system, Page: a.page, PageSize: a.size}
	if a.serial != "" {
		o.SerialNumbers = []string{a.serial}
	}
	endpoint := a.system.endpoint()
	r, err := p.request(endpoint, p.product.devices, body{Operation: p.product.operation, Options: o})
	if err != nil {
		return page{}, err
	}
	text, err := p.Ask(ctx, r)
	if err != nil {
		return page{}, err
	}
	got, err := p.payload(endpoint, text)
	if err != nil {
		return page{}, err
	}
	number, said := count(got.Page)
	if said && a.page != nil && number != *a.page {
		return page{}, errors.New(endpoint + ": the answer is another page than the one that was asked for")
	}
	rows, _ := count(got.Rows)
	read := page{rows: rows, end: got.Devices == nil || len(*got.Devices) == 0}
	if said {
		read.number = &number
	}
	if got.Devices != nil {
		read.devices = *got.Devices
	}
	return read, nil
}

// payload reads an answer. There are devices, an empty list of them, or the status that there are none; everything else is a
// fault, because Mosyle answers 200 to requests that it refuses too.
func (p *Provider) payload(endpoint string, text []byte) (payload, error) {
	var answer struct {
		Status   vendorjson.Text `json:"status"`
		Response jsontext.Value  `json:"response"`
	}
	const what = "a list of devices"
	if err := p.Decode(endpoint, what, text, &answer); err != nil {
		return payload{}, err
	}
	// One product has a list with the payload, the other the payload itself. Either is read, whatever the product is.
	var all []payload
	err := error(nil)
	if kind := answer.Response.Kind(); kind == '[' {
		err = json.Unmarshal(answer.Response, &all)
	} else if kind == '{' {
		all = make([]payload, 1)
		err = json.Unmarshal(answer.Response, &all[0])
	}
	if err != nil {
		return payload{}, p.NotA(endpoint, what)
	}
	switch top := answer.Status.Said(); {
	case top != "" && top != "OK":
		return payload{}, refused(endpoint, top)
	case top == "", len(all) != 1:
		return payload{}, p.NotA(endpoint, what)
	}
	one := all[0]
	status := one.Status.Said()
	switch {
	case !one.Status.Missing() && status == "":
		return payload{}, p.NotA(endpoint, what)
	case status == "DEVICES_NOTFOUND" && one.Devices == nil:
		return one, nil
	case status != "" && status != "OK":
		return payload{}, refused(endpoint, status)
	case one.Devices == nil:
		return payload{}, p.NotA(endpoint, what)
	}
	return one, nil
}

// refused is the error of a status. It repeats only words that are known here.
func refused(endpoint, status string) error {
	known := []string{
		"DEVICES_NOTFOUND", "USERS_NOTFOUND", "MISSING_DATA", "INVALID_DATA", "UNKNOWN_COLUMNS", "UNKNOWN_OPERATION", "UNKNOWN_OS",
	}
	if slices.Contains(known, status) {
		return fmt.Errorf("%s: Mosyle refuses the request with %s", endpoint, status)
	}
	return errors.New(endpoint + ": Mosyle answers with a status that is not known here")
}

// count reads a number that may be a text.
func count(t vendorjson.Text) (n int, said bool) {
	n, err := strconv.Atoi(t.Any)
	return n, err == nil && n >= 0
}
