package connector

// Inventory decides which devices are ours.
type Inventory interface {
	// environment configures the connector for it.
	environment() []string
}

// File is an inventory in a file.
type File struct {
	Path string
	Type string // csv or json
}

func (f File) environment() []string {
	return []string{"PROVIDER=file", "FILE_PATH=" + f.Path, "FILE_TYPE=" + f.Type}
}

// Jamf is the inventory of a Jamf Pro server.
type Jamf struct {
	BaseURL      string
	ClientID     string
	ClientSecret string // path of the file with the secret
	CA           string // path of the CA that issued the server's certificate
	API          string // pro or classic; empty is the connector's default
	// DeviceGroup and ComputerGroup are the required groups; empty requires none.
	DeviceGroup   string
	ComputerGroup string
	// Enrich makes the connector return data about both kinds of device.
	Enrich bool
}

func (j Jamf) environment() []string {
	env := []string{
		"PROVIDER=jamf",
		"JAMF_BASE_URL=" + j.BaseURL,
		"JAMF_CLIENT_ID=" + j.ClientID,
		"JAMF_CLIENT_SECRET_FILE=" + j.ClientSecret,
		"JAMF_API=" + j.API,
		"JAMF_DEVICE_GROUP=" + j.DeviceGroup,
		"JAMF_COMPUTER_GROUP=" + j.ComputerGroup,
		// The connector trusts it as a client, in place of the system's CAs. As a
		// server it uses only TLS_CERT_PATH and TLS_CA_PATH.
		"SSL_CERT_FILE=" + j.CA,
	}
	if j.Enrich {
		env = append(env, "JAMF_DEVICE_ENRICH=1", "JAMF_COMPUTER_ENRICH=1")
	}
	return env
}

// Policies are settings without an inventory: those of the policy file count. CA is the path of the CA that issued the certificates of their
// servers.
type Policies struct{ CA string }

func (p Policies) environment() []string { return []string{"SSL_CERT_FILE=" + p.CA} }
