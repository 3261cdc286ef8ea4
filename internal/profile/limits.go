package profile

const (
	// maxName bounds what people choose, in characters: names of provisioners and organizations.
	maxName = 128
	// maxIdentifier bounds the profile's identifier, in characters, and a host name may have as many.
	maxIdentifier = 253
	// maxSSID is what the standard of Wi-Fi allows, in bytes.
	maxSSID = 32
	// maxServers bounds the names of RADIUS servers.
	maxServers = 32
)
