package config

// Console has the variables of the console, a page that shows what was decided.
type Console struct {
	// Where the console is; `off` for nowhere. Without users only at `127.0.0.1`, `[::1]` or `localhost`.
	//
	// It needs `JOURNAL`. Elsewhere it needs `CONSOLE_USERS_FILE` or `CONSOLE_OIDC_ISSUER`, and with them it has TLS. See
	// [who may see it](console.md#who-may-see-it).
	ConsoleAddress Listener `env:"CONSOLE_ADDRESS" envDefault:"off" accepted:"host:port of a listener for the console, or off" group:"Journal and console"`

	// The certificate of the console in PEM, leaf first, its chain behind it; that of the webhooks when not set.
	//
	// Without users there is TLS only when it is set.
	ConsoleTLSCertPath Path `env:"CONSOLE_TLS_CERT_PATH" example:"console.crt" accepted:"the path of a PEM file with the certificate of the console, and its intermediates" group:"Journal and console"`

	// Its private key in PEM.
	ConsoleTLSKeyPath Path `env:"CONSOLE_TLS_KEY_PATH" unset:"required with CONSOLE_TLS_CERT_PATH" example:"console.key" accepted:"the path of a PEM file with the private key of the console" group:"Journal and console"`

	// The people who may log in: a file of `htpasswd -B -C 12`, with bcrypt hashes only.
	//
	// It is reloaded when it changes; the sessions of who was removed, or has another password, end then.
	ConsoleUsersFile Path `env:"CONSOLE_USERS_FILE" example:"console.htpasswd" accepted:"the path of a file of htpasswd with bcrypt hashes" group:"Journal and console"`

	// The address at which people open the console; OpenID Connect returns to it.
	ConsoleURL Origin `env:"CONSOLE_URL" unset:"required with CONSOLE_OIDC_ISSUER" example:"https://posture.example.com" accepted:"an https URL without a path" group:"Journal and console"`

	// The issuer of an OpenID provider, where people log in.
	ConsoleOIDCIssuer Issuer `env:"CONSOLE_OIDC_ISSUER" example:"https://login.example.com" accepted:"the https URL of an OpenID issuer" group:"Journal and console"`

	// The ID of the console as a client of the provider.
	ConsoleOIDCClientID string `env:"CONSOLE_OIDC_CLIENT_ID" unset:"required with CONSOLE_OIDC_ISSUER" example:"step-posture-connector" accepted:"the client ID of the console" group:"Journal and console"`

	// Its secret.
	ConsoleOIDCClientSecret Secret `env:"CONSOLE_OIDC_CLIENT_SECRET" unset:"required with CONSOLE_OIDC_ISSUER" example:"the-secret-of-that-client" accepted:"the client secret of the console" group:"Journal and console"`

	// The group whose members may log in.
	ConsoleOIDCGroup string `env:"CONSOLE_OIDC_GROUP" unset:"required with CONSOLE_OIDC_ISSUER" example:"helpdesk" accepted:"the name of a group, as the ID token has it" group:"Journal and console"`

	// The claim of the ID token that has the groups of a person.
	ConsoleOIDCGroupsClaim string `env:"CONSOLE_OIDC_GROUPS_CLAIM" envDefault:"groups" accepted:"the name of a claim with a list of texts" group:"Journal and console"`
}
