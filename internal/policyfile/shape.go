package policyfile

import (
	"step-posture-connector/internal/config"
	"step-posture-connector/internal/document"
	"step-posture-connector/internal/policy"
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
		document.Required("policy", &document.Shape{Type: document.Text, Accepted: orNone(policies), About: "The name of the policy that decides."}),
	)
	webhook.Name = "webhook"
	return webhook
}
