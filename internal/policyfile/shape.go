package policyfile

import (
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
	"step-posture-connector/internal/posture"
	"step-posture-connector/internal/provider"
)

// Shape declares a policy file. What depends on the names in the file and on the environment is not part of it.
func Shape() *document.Shape {
	return document.MapOf(
		document.Optional("inventories", &document.Shape{
			Type: document.Map, Most: maxInventories, Names: policy.NameShape(), Members: provider.Shape(),
			About: "The inventories that policies ask, by their names, beside the one that PROVIDER in the environment names.",
		}),
		document.Optional("policies", policy.Shape(nil, true)),
		document.Optional("webhooks", &document.Shape{
			Type: document.List, Most: maxWebhooks, Items: webhookShape(nil),
			About: "The webhooks of step-ca that may call, beside those of the environment.",
		}),
		document.Optional("doors", doorsShape()),
		document.Optional("tokens", document.MapOf(document.Optional("clients", &document.Shape{
			Type: document.List, Most: maxClients, Items: clientShape(nil), About: "Who may have enrolment tokens issued by the API.",
		}))),
	)
}

const (
	acceptedID = `the UUID that step-ca printed as "Webhook ID"`
	patternID  = "^[0-9A-Fa-f]{8}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{4}-[0-9A-Fa-f]{12}$"
)

func webhookShape(policies []string) *document.Shape {
	name := policy.NameShape()
	name.Name, name.About = "", "Its name, for logs and metrics."
	secret := config.SecretShape()
	secret.Or = &document.Shape{Type: document.List, Items: config.SecretShape(), Least: 1, Most: maxSecrets, Accepted: "one secret, or a list of two"}
	webhook := document.MapOf(
		document.Required("name", name),
		document.Required("id", &document.Shape{Type: document.Text, Pattern: patternID, Accepted: acceptedID, About: "Its ID in step-ca."}),
		document.Required("secret", secret),
		document.Optional("policy", &document.Shape{Type: document.Text, Accepted: orNone(policies), About: "The name of the policy that decides. Only scep_notification has none."}),
		document.Optional("accepts", acceptsShape()),
		document.Optional("identify", identifyShape()),
		document.Optional("params", paramsShape()),
		document.Optional("kind", &document.Shape{Type: document.Text, Words: kinds(), About: "The only kind of requests that it sends; by default both."}),
		document.Optional("provisioner", document.MapOf(
			document.Required("type", &document.Shape{Type: document.Text, Words: posture.ProvisionerTypes(), About: "The type of the provisioner that has the webhook: a request that this type does not send is refused."}),
			document.Optional("name", &document.Shape{Type: document.Text, Least: 1, Most: maxProvisionerName, About: "Its name: a request that names another one is refused."}),
		)),
	)
	webhook.Name = "webhook"
	return webhook
}

func kinds() []string { return []string{posture.Enriching, posture.Authorizing} }

func acceptsShape() *document.Shape {
	ssh := &document.Shape{Type: document.Text, Words: []string{string(posture.SSHUser), string(posture.SSHHost)}}
	return &document.Shape{
		Type: document.Text, Words: posture.AllAccepts(), Default: string(posture.Attested), About: "Which requests it sends.",
		Or: &document.Shape{Type: document.List, Items: ssh, Least: 1, Most: 2, Accepted: "a word, or the list of ssh_user and ssh_host"},
	}
}

func identifyShape() *document.Shape {
	one := func() *document.Shape {
		return &document.Shape{
			Type: document.Text, Expression: true, Least: 1, Accepted: "an expression over request, such as request.principal",
			About: "The expression, in CEL, that gives the identifier of whoever asks.",
		}
	}
	identify := one()
	identify.Or = document.MapOf(document.Required(string(posture.SSHUser), one()), document.Required(string(posture.SSHHost), one()))
	return identify
}

func paramsShape() *document.Shape {
	name := policy.NameShape()
	name.Name, name.About = "", ""
	return &document.Shape{Type: document.List, Items: name, Most: maxParams, About: "The parameters of its URL: each request has each of them, once."}
}

func clientShape(policies []string) *document.Shape {
	name := policy.NameShape()
	name.Name, name.About = "", "Its name, for logs and lists."
	bearer := config.SecretShape()
	client := document.MapOf(
		document.Required("name", name),
		document.Required("bearer", bearer),
		document.Required("policies", &document.Shape{
			Type: document.List, Items: &document.Shape{Type: document.Text}, Least: 1, Accepted: "a list of " + orNoTokens(policies), About: "The policies that it may issue tokens for.",
		}),
	)
	client.Name = "client"
	return client
}
