package gate

// WebhookName is the name of every gate's webhook, and therefore where a
// certificate template finds the inventory's data: .Webhooks.posture.
const WebhookName = "posture"

// Template is a certificate template that puts the department and the e-mail
// address of the inventory into the certificate, the one of docs/setup.md. The
// first line refuses where the CA has no webhook to ask: without it, every genuine
// device would get a certificate then. The common name is taken from the attested
// identifier, because a request need not have one. toJson is what keeps a value
// with a quotation mark in it a value; without it, everyone who may edit the
// inventory could write certificates.
const Template = `{{- if not (hasKey .Webhooks "posture") }}{{ fail "the connector was not asked: there is no ENRICHING webhook named posture" }}{{ end -}}
{{- $data := .Webhooks.posture -}}
{{- if kindIs "map" $data.user }}{{ $data = $data.user }}{{ end -}}
{{- if not (hasKey $data "department") }}{{ fail "the connector returned no department" }}{{ end -}}
{{- if not (or (hasKey $data "email") (hasKey $data "email_address")) }}{{ fail "the connector returned no email" }}{{ end -}}
{
  "subject": {
    {{- with $data.department }}
    "organizationalUnit": {{ toJson . }},
    {{- end }}
    "commonName": {{ toJson (index .SANs 0).Value }}
  },
  "sans": [
    {{- with or $data.email $data.email_address }}
    {"type": "email", "value": {{ toJson . }}},
    {{- end }}
    {"type": "permanentIdentifier", "value": {{ toJson (index .SANs 0).Value }}}
  ],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"]
}
`

// JamfTemplate is a certificate template for what a Jamf Pro server knows, the one
// of docs/providers/jamf.md. It refuses without a webhook too, and where the kind of
// device is not enriched. A device need not be assigned to anybody; "with" leaves
// out what is empty, which a certificate cannot hold.
const JamfTemplate = `{{- if not (hasKey .Webhooks "posture") }}{{ fail "the connector was not asked: there is no ENRICHING webhook named posture" }}{{ end -}}
{{- if not .Webhooks.posture.user }}{{ fail "the connector returned no data: set JAMF_COMPUTER_ENRICH=1 for computers, JAMF_DEVICE_ENRICH=1 for mobile devices" }}{{ end -}}
{
  "subject": {
    {{- with .Webhooks.posture.user.department }}
    "organization": {{ toJson . }},
    {{- end }}
    "organizationalUnit": {{ toJson .Webhooks.posture.groups }},
    {{- with .Webhooks.posture.device.name }}
    "extraNames": [{"type": "2.5.4.13", "value": {{ toJson . }}}],
    {{- end }}
    "commonName": {{ toJson (index .SANs 0).Value }}
  },
  "sans": [
    {{- with .Webhooks.posture.user.email_address }}
    {"type": "email", "value": {{ toJson . }}},
    {{- end }}
    {"type": "permanentIdentifier", "value": {{ toJson (index .SANs 0).Value }}}
  ],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"]
}
`
