package profile

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/google/uuid"
	"howett.net/plist"
)

// Common is what every payload has. The library writes the fields of an embedded structure only when its name is exported.
type Common struct {
	Type        string `plist:"PayloadType"`
	Version     int    `plist:"PayloadVersion"`
	Identifier  string `plist:"PayloadIdentifier"`
	UUID        string `plist:"PayloadUUID"`
	DisplayName string `plist:"PayloadDisplayName"`
}

// document is the profile itself.
type document struct {
	Common
	Description  string `plist:"PayloadDescription"`
	Organization string `plist:"PayloadOrganization,omitempty"`
	// Scope makes it a profile of the device on a Mac; other devices have no other one.
	Scope   string `plist:"PayloadScope"`
	Content []any  `plist:"PayloadContent"`
}

type acmePayload struct {
	Common
	Attest           bool
	ClientIdentifier string
	DirectoryURL     string
	ExtendedKeyUsage []string
	HardwareBound    bool
	KeySize          int
	KeyType          string
	Subject          [][][]string
	UsageFlags       int
}

type rootPayload struct {
	Common
	FileName string `plist:"PayloadCertificateFileName"`
	Content  []byte `plist:"PayloadContent"`
}

type wifiPayload struct {
	Common
	AutoJoin        bool
	EncryptionType  string
	HiddenNetwork   bool   `plist:"HIDDEN_NETWORK"`
	SSID            string `plist:"SSID_STR"`
	CertificateUUID string `plist:"PayloadCertificateUUID"`
	EAP             eap    `plist:"EAPClientConfiguration"`
	SetupModes      []string
}

type eap struct {
	AcceptEAPTypes        []int
	AnchorUUID            []string `plist:"PayloadCertificateAnchorUUID,omitempty"`
	TLSMinimumVersion     string
	TLSTrustedServerNames []string `plist:"TLSTrustedServerNames,omitempty"`
}

const (
	eapTLS           = 13
	digitalSignature = 1
	clientAuth       = "1.3.6.1.5.5.7.3.2"
)

// document puts the payloads together: the root first, because the others need it.
func (r Request) document(m MDM) (document, error) {
	identifier := r.identifier()
	d := document{
		Common: Common{
			Type: "Configuration", Version: 1, Identifier: identifier, DisplayName: "Device certificate",
			// Not of the contents: a profile that was changed replaces the one before it.
			UUID: uuidOf(identifier, ""),
		},
		Description:  "Orders a certificate that proves which device this is.",
		Organization: r.Organization,
		Scope:        "System",
	}
	var anchors []string
	if r.Root != nil {
		root := newRoot(identifier, r.Root)
		if err := name(&root.Common, root); err != nil {
			return document{}, err
		}
		anchors = []string{root.UUID}
		d.Content = append(d.Content, *root)
	}
	acme := r.newACME(identifier, m)
	if err := name(&acme.Common, acme); err != nil {
		return document{}, err
	}
	d.Content = append(d.Content, *acme)
	if r.SSID != "" {
		wifi := r.newWiFi(identifier, acme.UUID, anchors)
		if err := name(&wifi.Common, wifi); err != nil {
			return document{}, err
		}
		d.Content = append(d.Content, *wifi)
	}
	return d, nil
}

func (r Request) newACME(identifier string, m MDM) *acmePayload {
	serial := m.Variable
	if r.Variable != "" {
		serial = r.Variable
	}
	return &acmePayload{
		Common:           Common{Type: "com.apple.security.acme", Version: 1, Identifier: identifier + ".certificate", DisplayName: "Device certificate"},
		Attest:           true,
		ClientIdentifier: serial,
		DirectoryURL:     r.directory(),
		ExtendedKeyUsage: []string{clientAuth},
		HardwareBound:    true,
		// The longer of the two that the Secure Enclave has.
		KeySize: 384,
		KeyType: "ECSECPrimeRandom",
		// step-ca refuses another common name than the identifier that the device orders for.
		Subject:    [][][]string{{{"CN", serial}}},
		UsageFlags: digitalSignature,
	}
}

func newRoot(identifier string, root *x509.Certificate) *rootPayload {
	return &rootPayload{
		Common:   Common{Type: "com.apple.security.root", Version: 1, Identifier: identifier + ".root", DisplayName: "Root of the CA"},
		FileName: "root_ca.cer",
		Content:  root.Raw,
	}
}

func (r Request) newWiFi(identifier, certificate string, anchors []string) *wifiPayload {
	return &wifiPayload{
		// The name is in the identifier: a device may have several networks.
		Common:   Common{Type: "com.apple.wifi.managed", Version: 1, Identifier: identifier + ".wifi." + hex.EncodeToString([]byte(r.SSID)), DisplayName: "Wi-Fi"},
		AutoJoin: true,
		// WPA2 and WPA3; a network with a password in common cannot use a certificate.
		EncryptionType:  "WPA2",
		SSID:            r.SSID,
		CertificateUUID: certificate,
		EAP: eap{
			AcceptEAPTypes: []int{eapTLS}, AnchorUUID: anchors, TLSMinimumVersion: "1.2", TLSTrustedServerNames: r.Servers,
		},
		// A Mac joins before a user logs in.
		SetupModes: []string{"System"},
	}
}

// name gives a payload the UUID of its contents: a payload that did not change keeps it, so a new network does not make the
// device order another certificate.
func name(c *Common, payload any) error {
	contents, err := plist.Marshal(payload, plist.XMLFormat)
	if err != nil {
		return fmt.Errorf("write a payload: %w", err)
	}
	c.UUID = uuidOf(c.Identifier, string(contents))
	return nil
}

// uuidOf makes a UUID (version 5) of texts.
func uuidOf(identifier, contents string) string {
	return strings.ToUpper(uuid.NewSHA1(uuid.NameSpaceURL, []byte("step-posture-connector profile\x00"+identifier+"\x00"+contents)).String())
}
