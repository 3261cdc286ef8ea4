package server

// wording is how messages name what belongs to a listener: its settings, its clients, and what to change there.
type wording struct {
	certificate, privateKey, clientCA, revocations string // the settings that name its files

	required string // why a client must present a certificate, and how it comes to have one
	client   string // who must trust the server certificate
	url      string // what must have one of the names in the server certificate
	revoked  string // what follows when a client is revoked
	overload string // what to do when every connection is in use
}

// webhookWording is also of listeners without TLS.
func webhookWording() wording {
	return wording{
		certificate: "TLS_CERT_PATH", privateKey: "TLS_KEY_PATH", clientCA: "TLS_CA_PATH", revocations: "TLS_CRL_PATH",
		required: "ENABLE_MTLS is 1; step-ca presents its own, unless the webhook was added with --disable-tls-client-auth",
		client:   "step-ca",
		url:      "the webhook's URL",
		revoked:  "if it is step-ca's own, every order fails until step-ca is restarted, which makes itself a new certificate then; any client of an X5C provisioner can have it revoked",
		overload: "raise MAX_CONNECTIONS, or find out what makes them slow",
	}
}

// doorWording is of DOOR_ADDRESS, which has the server certificate of the webhooks. Its clients are RADIUS servers and
// proxies in front of web servers.
func doorWording() wording {
	w := webhookWording()
	w.clientCA = "DOOR_CLIENT_CA_PATH"
	w.required = "DOOR_ADDRESS always asks for one; a RADIUS server or proxy presents one only where its configuration names a certificate and its key"
	w.client = "the RADIUS server or proxy"
	w.url = "the URL in its configuration"
	w.revoked = "a RADIUS server or proxy whose own it is gets no answer until it has another one, and its devices are refused"
	w.overload = "find out what makes them slow"
	return w
}

// consoleWording is of CONSOLE_ADDRESS, whose clients are browsers.
func consoleWording(own bool) wording {
	w := webhookWording()
	if own {
		w.certificate, w.privateKey = "CONSOLE_TLS_CERT_PATH", "CONSOLE_TLS_KEY_PATH"
	}
	w.client = "a browser"
	w.url = "the address of the console"
	w.overload = "find out what makes them slow"
	return w
}
