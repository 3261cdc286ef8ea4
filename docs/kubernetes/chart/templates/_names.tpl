{{- define "connector.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 53 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 53 | trimSuffix "-" }}
{{- end -}}
{{- end -}}

{{- /* Which pods are of this release: those of the deployment, and that of the test. */ -}}
{{- define "connector.ownLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Which of them serve. */ -}}
{{- define "connector.selectorLabels" -}}
{{ include "connector.ownLabels" . }}
app.kubernetes.io/component: connector
{{- end -}}

{{- define "connector.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "connector.ownLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | replace "+" "_" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "connector.image" -}}
{{- $tag := .tag | default .default -}}
{{ .repository }}{{ if .digest }}@{{ .digest }}{{ else }}:{{ $tag }}{{ end }}
{{- end -}}

{{- define "connector.tlsSecret" -}}
{{- if eq .Values.tls.source "existingSecret" -}}
{{ .Values.tls.existingSecret }}
{{- else -}}
{{ include "connector.fullname" . }}-tls
{{- end -}}
{{- end -}}

{{- define "connector.policyConfigMap" -}}
{{ .Values.policy.existingConfigMap | default (printf "%s-policy" (include "connector.fullname" .)) }}
{{- end -}}

{{- /* The DNS names of the certificate: those of the Services that show it, and others. step-ca's provisioner issues for names that
it has in a list, so it is asked for no more than one of each. */ -}}
{{- define "connector.dnsNames" -}}
{{- $services := list (include "connector.fullname" .) -}}
{{- if .Values.doors.enabled -}}
{{- $services = append $services (printf "%s-door" (include "connector.fullname" .)) -}}
{{- end -}}
{{- if and .Values.console.enabled .Values.console.peers -}}
{{- $services = append $services (printf "%s-console" (include "connector.fullname" .)) -}}
{{- end -}}
{{- $names := list -}}
{{- range $services -}}
{{- $names = append $names (printf "%s.%s.svc.%s" . $.Release.Namespace $.Values.clusterDomain) -}}
{{- if eq $.Values.tls.source "certManager" -}}
{{- $names = append $names (printf "%s.%s.svc" . $.Release.Namespace) -}}
{{- end -}}
{{- end -}}
{{- concat $names .Values.tls.extraDNSNames | uniq | join " " -}}
{{- end -}}
