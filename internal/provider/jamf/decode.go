package jamf

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decode reads an answer of an endpoint; what is what it should hold. Its errors say what is wrong in words
// of ours: those of the library could repeat what the server sent.
//
// What is no valid JSON is not read in part, nor repaired: of a record that two readers may read in two ways
// nothing is believed. The search names one device, so such a record keeps out no other one.
func decode(endpoint, what string, body []byte, into any) error {
	err := json.Unmarshal(body, into)
	broken := (*jsontext.SyntacticError)(nil)
	switch {
	case err == nil:
		return nil
	case !bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) || !errors.As(err, &broken):
		return fmt.Errorf("%s: the answer is not %s; check that JAMF_BASE_URL is a Jamf Pro server", endpoint, what)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%s: the answer is JSON that breaks off after %d bytes; check what is between the connector and Jamf", endpoint, len(body))
	}
	at := fmt.Sprintf("at byte %d", broken.ByteOffset)
	if where := string(broken.JSONPointer); regexp.MustCompile(`^(/[A-Za-z0-9_]{1,40}){1,8}$`).MatchString(where) {
		at += " (" + where + ")"
	}
	return fmt.Errorf("%s: the answer holds JSON that cannot be read %s: %s", endpoint, at, flaw(body, broken))
}

// flaw says what is wrong with the byte that JSON does not allow.
func flaw(body []byte, broken *jsontext.SyntacticError) string {
	at := int(broken.ByteOffset)
	switch {
	case errors.Is(broken, jsontext.ErrDuplicateName):
		return "a duplicate member"
	case 0 <= at && at < len(body) && body[at] < ' ':
		return "a control character in a text; correct that text in Jamf, perhaps the name of the device"
	case 0 <= at && at < len(body) && body[at] >= 0x80:
		return "a text that is not UTF-8; correct that text in Jamf, perhaps the name of the device"
	}
	return "it is not valid JSON"
}
