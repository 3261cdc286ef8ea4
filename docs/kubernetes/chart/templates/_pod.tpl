{{- /* What the pods of the deployment and that of the test have in common. Nothing of it can be switched off. */ -}}
{{- define "connector.podSecurity" -}}
serviceAccountName: {{ include "connector.fullname" . }}
automountServiceAccountToken: false
# Otherwise each Service of the namespace gives variables to the pods.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532 # owns the files of secrets
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- with .Values.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "connector.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{- define "connector.container" -}}
name: connector
image: {{ include "connector.image" (merge (dict "default" .Chart.AppVersion) .Values.image) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
envFrom:
  - configMapRef: {name: {{ include "connector.fullname" . }}-env}
{{ include "connector.containerSecurity" . }}
resources: {{- toYaml .Values.resources | nindent 2 }}
# Folders, not single files with subPath: those do not change with their ConfigMap or Secret.
volumeMounts:
  - {name: ca, mountPath: /etc/step-posture-connector/ca, readOnly: true}
  - {name: tls, mountPath: /run/step-posture-connector/tls, readOnly: true}
  {{- if include "connector.hasPolicy" . }}
  - {name: policy, mountPath: /etc/step-posture-connector/policy, readOnly: true}
  {{- end }}
  {{- if .Values.stepCA.webhookSecret }}
  - {name: webhook, mountPath: /run/step-posture-connector/webhook, readOnly: true}
  {{- end }}
  {{- if .Values.doors.enabled }}
  - {name: callers, mountPath: /etc/step-posture-connector/callers, readOnly: true}
  {{- end }}
  {{- if and .Values.console.enabled .Values.console.usersSecret }}
  - {name: console, mountPath: /run/step-posture-connector/console, readOnly: true}
  {{- end }}
  {{- if .Values.state.existingSecret }}
  - {name: state, mountPath: /run/step-posture-connector/state, readOnly: true}
  {{- end }}
  {{- range $name, $secret := .Values.secretMounts }}
  - {name: {{ $name }}, mountPath: /run/step-posture-connector/{{ $name }}, readOnly: true}
  {{- end }}
{{- end -}}

{{- define "connector.hasPolicy" -}}
{{- if or .Values.policy.file .Values.policy.files .Values.policy.existingConfigMap }}true{{ end -}}
{{- end -}}

{{- define "connector.volumes" -}}
- name: ca
  configMap: {name: {{ .Values.stepCA.caConfigMap }}}
{{- if eq .Values.tls.source "stepRenewer" }}
# In memory: the key is on no disk, and ends with its pod.
- name: tls
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: step
  emptyDir: {medium: Memory, sizeLimit: 1Mi}
- name: renewer
  configMap: {name: {{ include "connector.fullname" . }}-renewer}
- name: provisioner
  secret: {secretName: {{ .Values.tls.stepRenewer.provisionerSecret }}, defaultMode: 0440}
{{- else }}
- name: tls
  secret: {secretName: {{ include "connector.tlsSecret" . }}, defaultMode: 0440}
{{- end }}
{{- if include "connector.hasPolicy" . }}
- name: policy
  configMap: {name: {{ include "connector.policyConfigMap" . }}}
{{- end }}
{{- with .Values.stepCA.webhookSecret }}
- name: webhook
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- if .Values.doors.enabled }}
- name: callers
  configMap: {name: {{ .Values.doors.callersConfigMap }}}
{{- end }}
{{- if and .Values.console.enabled .Values.console.usersSecret }}
- name: console
  secret: {secretName: {{ .Values.console.usersSecret }}, defaultMode: 0440}
{{- end }}
{{- with .Values.state.existingSecret }}
- name: state
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- range $name, $secret := .Values.secretMounts }}
- name: {{ $name }}
  secret: {secretName: {{ $secret }}, defaultMode: 0440}
{{- end }}
{{- end -}}
