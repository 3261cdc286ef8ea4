{{- /* What a device's certificate contains; setup.sh applies it each time. The line with "fail" keeps the CA
       gated also while the webhook is missing: facts exist only after a call of the connector, and may be {}. */ -}}
{{- if not (hasKey .Webhooks "posture") }}{{ fail "the connector was not asked" }}{{ end -}}
{{- $facts := .Webhooks.posture -}}
{{- /* From Jamf Pro. In devices.csv a column named user is text, and is not used here. */ -}}
{{- $user := dict -}}
{{- if kindIs "map" $facts.user }}{{ $user = $facts.user }}{{ end -}}
{{- $serial := (index .SANs 0).Value -}}
{
  "subject": {
    {{- with or $facts.department $user.department }}
    "organizationalUnit": {{ toJson . }},
    {{- end }}
    "commonName": {{ toJson $serial }}
  },
  "sans": [
    {{- with or $facts.email $user.email_address }}
    {"type": "email", "value": {{ toJson . }}},
    {{- end }}
    {"type": "permanentIdentifier", "value": {{ toJson $serial }}}
  ],
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["clientAuth"]
}
