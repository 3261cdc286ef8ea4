package connector

// Inventory is what says which devices are ours.
type Inventory interface {
	// environment is how the connector is told of it.
	environment() []string
}

// File is an inventory that is a file.
type File struct {
	Path string
	Type string // csv or json
}

func (f File) environment() []string {
	return []string{"PROVIDER=file", "FILE_PATH=" + f.Path, "FILE_TYPE=" + f.Type}
}

// Jamf is an inventory that a Jamf Pro server has.
type Jamf struct {
	BaseURL      string
	ClientID     string
	ClientSecret string // path of the file that has it
	CA           string // path of the CA that the server's certificate is of
	API          string // pro or classic; empty leaves it to the connector
	// DeviceGroup and ComputerGroup are the groups that are required; empty
	// requires none.
	DeviceGroup   string
	ComputerGroup string
	// Enrich has the connector return what Jamf knows, of both kinds of device.
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
		// What the connector trusts as a client, in place of the system's CAs. As a
		// server it goes by TLS_CERT_PATH and TLS_CA_PATH, and by nothing else.
		"SSL_CERT_FILE=" + j.CA,
	}
	if j.Enrich {
		env = append(env, "JAMF_DEVICE_ENRICH=1", "JAMF_COMPUTER_ENRICH=1")
	}
	return env
}
