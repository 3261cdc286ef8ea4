{{- /* What a device's certificate contains; applied by setup.sh each time. The first line keeps the CA gated
       also while it has no webhook: there are facts only when the connector was asked, if only {}. */ -}}
{{- if not (hasKey .Webhooks "posture") }}{{ fail "the connector was not asked" }}{{ end -}}
{{- $facts := .Webhooks.posture -}}
{{- $user := $facts.user | default dict -}}
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
