package gate

// WebhookName is the name of every gate's webhook. A certificate template therefore
// finds the inventory's data as .Webhooks.posture.
const WebhookName = "posture"

// Template is a certificate template that puts the department and the e-mail
// address of the inventory into the certificate; it is the one of docs/setup.md. The
// first line refuses when the CA has no webhook: without that line, every genuine
// device would then get a certificate. The common name is the attested identifier,
// because a request need not have a common name. toJson escapes quotation marks in a
// value; without it, everyone who may edit the inventory could write certificates.
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

// JamfTemplate is a certificate template for the data of a Jamf Pro server; it is the
// one of docs/providers/jamf.md. It refuses without a webhook too, and without
// enrichment. A device need not have a user; "with" leaves out empty values, which a
// certificate cannot hold.
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
