{{- /* Who has the password of this provisioner gets certificates for these names only. */ -}}
{{- $names := list "step-posture-connector.step-posture-connector.svc.cluster.local" "step-posture-connector-door.step-posture-connector.svc.cluster.local" -}}
{{- range .SANs }}{{ if or (ne .Type "dns") (not (has .Value $names)) }}{{ fail (printf "%s is not a name of the connector" .Value) }}{{ end }}{{ end -}}
{
  "subject": {"commonName": {{ toJson (index .SANs 0).Value }}},
  "sans": {{ toJson .SANs }},
  "keyUsage": ["digitalSignature"],
  "extKeyUsage": ["serverAuth", "clientAuth"]
}
