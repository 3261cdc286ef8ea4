package vendorhttp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads the JSON of an endpoint's answer. Its errors say in our own words what is wrong: those of the library
// could repeat what the server sent. what names what the answer should be, such as "a page of results".
//
// Invalid JSON is neither read in part nor repaired: two readers may read it in two ways, so nothing in it is believed.
// A lookup names one device, so such a record keeps out no other one.
func (c *Client) Decode(endpoint, what string, body []byte, into any) error {
	err := json.Unmarshal(body, into)
	broken := (*jsontext.SyntacticError)(nil)
	switch {
	case err == nil:
		return nil
	case !beginsAsJSON(body) || !errors.As(err, &broken):
		return c.NotA(endpoint, what)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the answer is JSON that breaks off after %d bytes; check what is between the connector and %s", endpoint, len(body), c.vendor.Name)
	}
	at := fmt.Sprintf("at byte %d", broken.ByteOffset)
	if where := string(broken.JSONPointer); regexp.MustCompile(`^(/[A-Za-z0-9_]{1,40}){1,8}$`).MatchString(where) {
		at += " (" + where + ")"
	}
	return fmt.Errorf("%s: the answer holds JSON that cannot be read %s: %s", endpoint, at, c.flaw(body, broken))
}

// NotA is the error of an answer that is not what it should be.
func (c *Client) NotA(endpoint, what string) error {
	return fmt.Errorf("%s: the answer is not %s; check that %s is %s", endpoint, what, c.vendor.Variable, c.vendor.Server)
}

// flaw says what is wrong with the byte that JSON does not allow.
func (c *Client) flaw(body []byte, broken *jsontext.SyntacticError) string {
	at := int(broken.ByteOffset)
	switch {
	case errors.Is(broken, jsontext.ErrDuplicateName):
		return "a duplicate member"
	case 0 <= at && at < len(body) && body[at] < ' ':
		return "a control character in a text; correct that text in " + c.vendor.Name + ", perhaps the name of the device"
	case 0 <= at && at < len(body) && body[at] >= 0x80:
		return "a text that is not UTF-8; correct that text in " + c.vendor.Name + ", perhaps the name of the device"
	}
	return "it is not valid JSON"
}

// beginsAsJSON reports whether a body begins as an object or a list does. What does not is no answer of an API.
func beginsAsJSON(body []byte) bool {
	body = bytes.TrimSpace(body)
	return bytes.HasPrefix(body, []byte("{")) || bytes.HasPrefix(body, []byte("["))
}
