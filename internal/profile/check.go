package profile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// check returns the MDM, and every problem of the request.
func (r Request) check() (known MDM, problems []error) {
	add := func(err error) {
		if err != nil {
			problems = append(problems, err)
		}
	}
	add(checkCAURL(r.CAURL))
	add(checkProvisioner(r.Provisioner))
	known, ok := mdmOf(r.MDM)
	if !ok {
		add(refused("mdm", r.MDM, either(Names())))
	}
	if r.Variable != "" {
		add(checkText("variable", r.Variable, "the text that the MDM replaces by the serial number"))
	}
	if r.Organization != "" {
		add(checkText("organization", r.Organization, "the organization's name"))
	}
	if r.Identifier != "" && (len(r.Identifier) > maxIdentifier || !matches(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+$`, r.Identifier)) {
		add(refused("identifier", r.Identifier, "a reverse domain name, such as com.example.device-certificate"))
	}
	return known, append(problems, r.checkWiFi()...)
}

func (r Request) checkWiFi() (problems []error) {
	switch {
	case r.SSID == "" && len(r.Servers) > 0:
		return []error{errors.New("--wifi-server: is for a Wi-Fi network; name it with --wifi-ssid")}
	case r.SSID == "":
		return nil
	case len(r.SSID) > maxSSID || !printable(r.SSID):
		problems = append(problems, refused("wifi-ssid", r.SSID, fmt.Sprintf("the name of the network, 1 to %d bytes, without control characters", maxSSID)))
	}
	// A device that cannot tell the genuine server from another one would give its certificate to both, and take any network.
	if r.Root == nil && len(r.Servers) == 0 {
		problems = append(problems, errors.New("--wifi-ssid: needs --root or --wifi-server, with which the devices know the genuine RADIUS server"))
	}
	if len(r.Servers) > maxServers {
		problems = append(problems, fmt.Errorf("--wifi-server: %d names; accepted: at most %d", len(r.Servers), maxServers))
	}
	for _, server := range r.Servers {
		// Everybody gets a certificate for a name under one that is public: the last two parts are not for any name.
		if len(server) > maxIdentifier || !matches(`^((\*|[A-Za-z0-9-]+)\.)*[A-Za-z0-9-]+\.[A-Za-z0-9-]+$`, server) {
			problems = append(problems, refused("wifi-server", server, "the name in the RADIUS server's certificate, such as radius.example.com"))
		}
	}
	return problems
}

// checkCAURL accepts the URL of a step-ca. Nothing else may be in it: what follows is added here, and the file is no place for
// a password.
func checkCAURL(text string) error {
	const accepted = "https://HOST or https://HOST:PORT of step-ca"
	u, err := url.Parse(text)
	switch {
	case text == "":
		return refused("ca-url", text, accepted)
	case err != nil:
		return errors.New("--ca-url: is no URL; accepted: " + accepted) // the error repeats the URL, which may have a password
	case u.User != nil:
		return errors.New("--ca-url: has a user name or a password; accepted: " + accepted)
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(text, "#"):
		return errors.New("--ca-url: has a query or a fragment; accepted: " + accepted)
	case u.Scheme != "https" || u.Opaque != "" || (u.Path != "" && u.Path != "/") || !validHost(u.Hostname()) || !validPort(u):
		return refused("ca-url", text, accepted)
	}
	return nil
}

func validHost(host string) bool {
	if address, err := netip.ParseAddr(host); err == nil {
		return address.Zone() == ""
	}
	return len(host) <= maxIdentifier && matches(`^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*$`, host)
}

func validPort(u *url.URL) bool {
	if u.Port() == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	port, err := strconv.ParseUint(u.Port(), 10, 16)
	return err == nil && port > 0
}

func checkProvisioner(text string) error {
	const accepted = "the name of step-ca's ACME provisioner"
	// A client would take these two for folders of a path.
	if text == "." || text == ".." {
		return refused("provisioner", text, accepted)
	}
	return checkText("provisioner", text, accepted)
}

func checkText(flag, text, accepted string) error {
	switch {
	case text == "":
		return refused(flag, text, accepted)
	case !printable(text) || utf8.RuneCountInString(text) > maxName:
		return refused(flag, text, fmt.Sprintf("%s, at most %d characters, without control characters", accepted, maxName))
	case strings.TrimSpace(text) != text:
		return refused(flag, text, accepted+", without spaces at its ends")
	}
	return nil
}

// printable says that a text can be in XML as it is.
func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// refused is the error about the value of a flag.
func refused(flag, value, accepted string) error {
	if value == "" {
		return fmt.Errorf("--%s: not set; accepted: %s", flag, accepted)
	}
	return fmt.Errorf("--%s: %q is not accepted; accepted: %s", flag, value, accepted)
}

// matches compiles the pattern each time: a command line is read once.
func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// directory is the URL at which a device begins.
func (r Request) directory() string {
	u, err := url.Parse(r.CAURL)
	if err != nil { // checked before
		return ""
	}
	return "https://" + u.Host + "/acme/" + segment(r.Provisioner) + "/directory"
}

// segment escapes a text as one segment of a path. More is escaped than has to be, so that an MDM does not find a variable in
// it.
func segment(text string) string {
	var escaped strings.Builder
	for _, b := range []byte(text) {
		switch {
		case '0' <= b && b <= '9', 'A' <= b && b <= 'Z', 'a' <= b && b <= 'z', strings.IndexByte("-._~", b) >= 0:
			escaped.WriteByte(b)
		default:
			_, _ = fmt.Fprintf(&escaped, "%%%02X", b)
		}
	}
	return escaped.String()
}

// identifier is what the device knows the profile by: of the CA and the provisioner, so that two of them do not replace each
// other.
func (r Request) identifier() string {
	if r.Identifier != "" {
		return r.Identifier
	}
	u, err := url.Parse(r.CAURL)
	if err != nil { // checked before
		return ""
	}
	labels := []string{"ip-" + strings.NewReplacer(".", "-", ":", "-").Replace(u.Hostname())}
	if _, err := netip.ParseAddr(u.Hostname()); err != nil {
		labels = strings.Split(strings.ToLower(u.Hostname()), ".")
		slices.Reverse(labels)
	}
	if port := u.Port(); port != "" && port != "443" {
		labels = append(labels, port)
	}
	provisioner := regexp.MustCompile(`[^A-Za-z0-9-]`).ReplaceAllString(r.Provisioner, "-")
	if provisioner != r.Provisioner {
		// Two names may become the same.
		sum := sha256.Sum256([]byte(r.Provisioner))
		provisioner += "-" + hex.EncodeToString(sum[:4])
	}
	return strings.Join(append(labels, "device-certificate", provisioner), ".")
}
