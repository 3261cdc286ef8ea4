package webhook

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"step-posture-connector/internal/audit"
	"step-posture-connector/internal/posture"
)

// mode reads the device type from the query: mode, or type, as the original's documentation calls
// it too. The signature does not cover the URL; only the CA's configuration and TLS protect it.
func mode(rawQuery string) (posture.DeviceType, *Problem) {
	if rawQuery == "" {
		return "", nil
	}
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return "", problemf(codeModeUnsupported, "the query cannot be read: use ?mode=mobiledevice, computer or any")
	}
	word := ""
	for _, value := range append(values["mode"], values["type"]...) {
		switch {
		case value == "" || value == word:
		case word == "":
			word = value
		default:
			return "", problemf(codeModeUnsupported, "mode and type are given with different values")
		}
	}
	deviceType, err := posture.ParseDeviceType(word)
	if err != nil {
		return "", &Problem{codeModeUnsupported, err}
	}
	return deviceType, nil
}

// readQuery reads the parameters. The signature does not cover the URL, and a template writes into it what the client may have
// chosen, so only what cannot be read in two ways is accepted. No error repeats a value.
func (c *exchange) readQuery() *Problem {
	values := map[string]string{}
	for pair := range strings.SplitSeq(c.query, "&") {
		if c.query == "" {
			break
		}
		name, value, p := readParameter(pair)
		if p != nil {
			return p
		}
		if _, doubled := values[name]; doubled {
			return unexpected("the query has the parameter %s more than once", shown(name))
		}
		if !slices.Contains(c.hook.Params, name) {
			return unexpected("the query has the parameter %s, which params of the webhook in the policy file does not list", shown(name))
		}
		values[name] = value
	}
	for _, name := range c.hook.Params {
		if values[name] == "" {
			return unexpected("the query has no parameter %s, or an empty one, which params of the webhook in the policy file lists", name)
		}
	}
	if word, ok := values["mode"]; ok {
		deviceType, err := posture.ParseDeviceType(word)
		if err != nil {
			return &Problem{codeModeUnsupported, err}
		}
		c.deviceType = deviceType
	}
	c.request.URL = values
	return nil
}

// noValue is what a template of Go writes for what does not exist, such as a claim that a token does not have.
const noValue = "<no value>"

func readParameter(pair string) (name, value string, p *Problem) {
	rawName, rawValue, ok := strings.Cut(pair, "=")
	if !ok || strings.Contains(pair, ";") || strings.Contains(rawValue, "=") {
		return "", "", unexpected("the query is not of the form name=value&name=value: end each action of the URL template with | urlquery")
	}
	name, err := url.QueryUnescape(rawName)
	if err == nil {
		value, err = url.QueryUnescape(rawValue)
	}
	switch {
	case err != nil:
		return "", "", unexpected("the query has an escape that is none: end each action of the URL template with | urlquery")
	case value == "":
		return "", "", unexpected("the query has the parameter %s without a value", shown(name))
	case strings.Contains(value, noValue):
		return "", "", unexpected("the parameter %s is %s: the URL template names what the request does not have", shown(name), noValue)
	case !utf8.ValidString(value) || strings.ContainsFunc(value, unicode.IsControl):
		return "", "", unexpected("the parameter %s has a control character, or is not UTF-8", shown(name))
	}
	return name, value, nil
}

// shown is the name of a parameter in an error. A template without urlquery lets a client write it.
func shown(name string) string { return fmt.Sprintf("%q", audit.Clean(name, maxShownName)) }
