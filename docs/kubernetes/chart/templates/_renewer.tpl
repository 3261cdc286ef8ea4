{{- /* Gets the certificate with which a pod starts. */ -}}
{{- define "connector.firstCertificate" -}}
name: certificate
command: [/bin/sh, /scripts/certificate.sh, /run/step-posture-connector/tls]
env:
  - {name: STEPPATH, value: /home/step}
  - {name: ROOT_CA, value: /etc/step-posture-connector/ca/root_ca.crt}
  - {name: PASSWORD_FILE, value: /run/step-posture-connector/provisioner/password}
{{ include "connector.renewerContainer" . }}
  # Only here: the sidecar renews with the certificate itself.
  - {name: provisioner, mountPath: /run/step-posture-connector/provisioner, readOnly: true}
{{- end -}}

{{- /* Renews it. With restartPolicy it is a sidecar: it starts before the connector, and ends after it. It has no probe: while
the CA does not answer, the certificate that is there goes on being good. */ -}}
{{- define "connector.renewer" -}}
name: renewer
restartPolicy: Always
command: [/bin/sh, /scripts/renew.sh, /run/step-posture-connector/tls]
env:
  - {name: STEPPATH, value: /home/step}
{{ include "connector.renewerContainer" . }}
{{- end -}}

{{- define "connector.renewerContainer" -}}
image: {{ include "connector.image" (merge (dict "default" "") .Values.tls.stepRenewer.image) }}
imagePullPolicy: {{ .Values.tls.stepRenewer.image.pullPolicy }}
envFrom:
  - configMapRef: {name: {{ include "connector.fullname" . }}-renewer-env}
{{ include "connector.containerSecurity" . }}
resources: {{- toYaml .Values.tls.stepRenewer.resources | nindent 2 }}
volumeMounts:
  - {name: tls, mountPath: /run/step-posture-connector/tls}
  - {name: ca, mountPath: /etc/step-posture-connector/ca, readOnly: true}
  - {name: renewer, mountPath: /scripts, readOnly: true}
  - {name: step, mountPath: /home/step}
{{- end -}}
