{{- /* The variables of the connector, by their names. config cannot replace what the chart sets: the schema refuses
those, and somebody may have switched the schema off. */ -}}
{{- define "connector.variables" -}}
{{- $run := "/run/step-posture-connector" -}}
{{- $etc := "/etc/step-posture-connector" -}}
{{- $renewed := eq .Values.tls.source "stepRenewer" -}}
{{- $set := dict
  "TLS_CERT_PATH" (printf "%s/tls/%s" $run (ternary "server.crt" "tls.crt" $renewed))
  "TLS_KEY_PATH" (printf "%s/tls/%s" $run (ternary "server.key" "tls.key" $renewed))
  "ENABLE_MTLS" "1"
  "TLS_CA_PATH" (printf "%s/ca/root_ca.crt" $etc)
  "MTLS_ALLOWED_NAMES" (join "," .Values.stepCA.clientNames)
  "HEALTH_ADDRESS" ":9444"
  "LOG_FORMAT" "json"
  "GOMEMLIMIT" (include "connector.goMemoryLimit" .)
-}}
{{- if .Values.stepCA.webhookSecret -}}
{{- $_ := set $set "WEBHOOK_IDS_FILE" (printf "%s/webhook/ids" $run) -}}
{{- $_ := set $set "WEBHOOK_SECRETS_FILE" (printf "%s/webhook/secrets" $run) -}}
{{- end -}}
{{- if or .Values.policy.file .Values.policy.existingConfigMap -}}
{{- $_ := set $set "POLICY_PATH" (printf "%s/policy/posture.yaml" $etc) -}}
{{- end -}}
{{- if .Values.doors.enabled -}}
{{- $_ := set $set "DOOR_ADDRESS" ":9446" -}}
{{- $_ := set $set "DOOR_CLIENT_CA_PATH" (printf "%s/callers/callers_ca.crt" $etc) -}}
{{- end -}}
{{- if .Values.console.enabled -}}
{{- $_ := set $set "CONSOLE_ADDRESS" ":9445" -}}
{{- $_ := set $set "AUDIT_LOG_PATH" "/dev/stdout" -}}
{{- if .Values.console.usersSecret -}}
{{- $_ := set $set "CONSOLE_USERS_FILE" (printf "%s/console/users" $run) -}}
{{- end -}}
{{- end -}}
{{- if .Values.tokenAPI.enabled -}}
{{- $_ := set $set "API_ADDRESS" ":8080" -}}
{{- end -}}
{{- if .Values.state.existingSecret -}}
{{- $_ := set $set "STATE_URL_FILE" (printf "%s/state/url" $run) -}}
{{- end -}}
{{- range $name, $file := .Values.secretFiles -}}
{{- $_ := set $set (printf "%s_FILE" $name) (printf "%s/%s" $run $file) -}}
{{- end -}}
{{- range $name, $value := .Values.config -}}
{{- if not (hasKey $set $name) -}}
{{- $_ := set $set $name (toString $value) -}}
{{- end -}}
{{- end -}}
{{- toYaml $set -}}
{{- end -}}

{{- /* Go collects more often before it needs more: 86 % of what the container may use. */ -}}
{{- define "connector.goMemoryLimit" -}}
{{ div (mul (include "connector.memory" . | int) 86) 100 }}MiB
{{- end -}}

{{- /* What the container may use, in MiB. */ -}}
{{- define "connector.memory" -}}
{{- $limit := .Values.resources.limits.memory -}}
{{- $mebibytes := regexFind "^[0-9]+" $limit | int -}}
{{- if hasSuffix "Gi" $limit -}}
{{- $mebibytes = mul $mebibytes 1024 -}}
{{- end -}}
{{ $mebibytes }}
{{- end -}}
