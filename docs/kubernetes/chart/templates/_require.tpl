{{- /* What the schema cannot say: everything that is missing or does not fit together, at once. */ -}}
{{- define "connector.require" -}}
{{- $v := .Values -}}
{{- $wrong := list -}}
{{- if not $v.image.repository -}}
{{- $wrong = append $wrong "image.repository is not set. Accepted: the image that you have built with docker/Dockerfile and pushed, such as registry.example.com/step-posture-connector" -}}
{{- end -}}
{{- if lt (include "connector.memory" . | int) 64 -}}
{{- $wrong = append $wrong (printf "resources.limits.memory is %s. Accepted: 64Mi or more" $v.resources.limits.memory) -}}
{{- end -}}
{{- $sources := dict "certManager" "tls.certManager.issuer.name" "stepRenewer" "" "existingSecret" "tls.existingSecret" -}}
{{- if not (hasKey $sources $v.tls.source) -}}
{{- $wrong = append $wrong "tls.source is not set. Accepted: certManager, stepRenewer or existingSecret" -}}
{{- end -}}
{{- if and (eq $v.tls.source "certManager") (not $v.tls.certManager.issuer.name) -}}
{{- $wrong = append $wrong "tls.source is certManager, but tls.certManager.issuer.name is not set. Accepted: the name of an issuer of cert-manager whose root step-ca trusts" -}}
{{- end -}}
{{- if and (eq $v.tls.source "existingSecret") (not $v.tls.existingSecret) -}}
{{- $wrong = append $wrong "tls.source is existingSecret, but tls.existingSecret is not set. Accepted: the name of a Secret with tls.crt and tls.key" -}}
{{- end -}}
{{- if and (ne $v.tls.source "existingSecret") $v.tls.existingSecret -}}
{{- $wrong = append $wrong (printf "tls.existingSecret is set, but tls.source is %q. Accepted: tls.source existingSecret, or no tls.existingSecret" $v.tls.source) -}}
{{- end -}}
{{- $provider := get $v.config "PROVIDER" -}}
{{- $hasPolicyFile := or $v.policy.file $v.policy.existingConfigMap -}}
{{- if not (or $provider $hasPolicyFile) -}}
{{- $wrong = append $wrong "no inventory: neither config.PROVIDER nor a policy file is set. Accepted: config.PROVIDER with the variables of docs/providers, or policy.file or policy.existingConfigMap with inventories" -}}
{{- end -}}
{{- if and $v.policy.existingConfigMap (or $v.policy.file $v.policy.files) -}}
{{- $wrong = append $wrong "policy.existingConfigMap and policy.file or policy.files are set. Accepted: one of them" -}}
{{- end -}}
{{- if and $v.policy.file (hasKey $v.policy.files "posture.yaml") -}}
{{- $wrong = append $wrong "posture.yaml is in policy.file and in policy.files. Accepted: policy.file" -}}
{{- end -}}
{{- if and (hasKey $v.policy.files "posture.yaml") (not $v.policy.file) -}}
{{- $wrong = append $wrong "policy.files has posture.yaml, which would not be read. Accepted: policy.file" -}}
{{- end -}}
{{- $policyFolder := "/etc/step-posture-connector/policy/" -}}
{{- $path := get $v.config "FILE_PATH" | default "" | toString -}}
{{- if and (hasPrefix $policyFolder $path) (not $v.policy.existingConfigMap) (not (hasKey $v.policy.files (trimPrefix $policyFolder $path))) -}}
{{- $wrong = append $wrong (printf "config.FILE_PATH is %s, but policy.files has no %s. Accepted: helm --set-file with that file, or policy.existingConfigMap" $path (trimPrefix $policyFolder $path)) -}}
{{- end -}}
{{- if and (not $v.stepCA.webhookSecret) (not $hasPolicyFile) -}}
{{- $wrong = append $wrong "stepCA.webhookSecret is not set, and there is no policy file with webhooks. Accepted: the name of a Secret with the keys ids and secrets" -}}
{{- end -}}
{{- $remote := list "addigy" "apple_business" "fleet" "intune" "iru" "jamf" "mosyle" -}}
{{- if and (has $provider $remote) (not $v.networkPolicy.internet.enabled) (not $v.networkPolicy.extraEgress) -}}
{{- $wrong = append $wrong (printf "config.PROVIDER is %s, but the network policy lets nothing out to it. Accepted: networkPolicy.internet.enabled true, or a rule in networkPolicy.extraEgress" $provider) -}}
{{- end -}}
{{- if and (eq (toString $provider) "sql") (ne (get $v.config "SQL_DRIVER" | toString) "sqlite") (not $v.networkPolicy.extraEgress) -}}
{{- $wrong = append $wrong "config.PROVIDER is sql, but the network policy lets nothing out to the database. Accepted: a rule in networkPolicy.extraEgress" -}}
{{- end -}}
{{- range $folder, $_ := $v.secretMounts -}}
{{- if has $folder (list "webhook" "tls" "state" "console" "provisioner" "policy" "ca" "callers" "step" "renewer") -}}
{{- $wrong = append $wrong (printf "secretMounts has %s, a folder of the chart. Accepted: another name" $folder) -}}
{{- end -}}
{{- end -}}
{{- range $name, $file := $v.secretFiles -}}
{{- $folder := splitList "/" $file | first -}}
{{- if not (hasKey $v.secretMounts $folder) -}}
{{- $wrong = append $wrong (printf "secretFiles.%s is %s, but secretMounts has no %s. Accepted: a file of a mounted Secret, such as secretMounts.%s with the name of the Secret" $name $file $folder $folder) -}}
{{- end -}}
{{- end -}}
{{- range $name := list "doors" "tokenAPI" -}}
{{- $listener := get $v $name -}}
{{- if and $listener.enabled (not $listener.peers) -}}
{{- $wrong = append $wrong (printf "%s is enabled, but %s.peers is empty: nobody could call. Accepted: peers of a NetworkPolicy" $name $name) -}}
{{- end -}}
{{- end -}}
{{- /* The schema refuses these too, and somebody may have switched it off. A rule without peers is for everybody. */ -}}
{{- $rules := list (dict "name" "stepCA.peers" "peers" $v.stepCA.peers) (dict "name" "networkPolicy.dns" "peers" $v.networkPolicy.dns) -}}
{{- range $v.networkPolicy.extraEgress -}}
{{- $rules = append $rules (dict "name" "to of networkPolicy.extraEgress" "peers" .to) -}}
{{- end -}}
{{- range $rules -}}
{{- if not .peers -}}
{{- $wrong = append $wrong (printf "%s is empty: that would be everybody. Accepted: peers of a NetworkPolicy" .name) -}}
{{- end -}}
{{- end -}}
{{- $published := list (dict "name" "service" "type" $v.service.type "from" "stepCA.peers" "peers" $v.stepCA.peers) -}}
{{- range $name := list "doors" "console" -}}
{{- with get $v $name -}}
{{- if .enabled -}}
{{- $published = append $published (dict "name" (printf "%s.service" $name) "type" .service.type "from" (printf "%s.peers" $name) "peers" .peers) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $published -}}
{{- $addresses := false -}}
{{- range .peers -}}
{{- if .ipBlock -}}
{{- $addresses = true -}}
{{- end -}}
{{- end -}}
{{- if and (eq .type "LoadBalancer") (not $addresses) -}}
{{- $wrong = append $wrong (printf "%s.type is LoadBalancer, but %s has no ipBlock: it would be open to everybody or to nobody. Accepted: the addresses of the callers, as ipBlock" .name .from) -}}
{{- end -}}
{{- end -}}
{{- if and $v.doors.enabled (not $hasPolicyFile) -}}
{{- $wrong = append $wrong "doors is enabled, but there is no policy file, which says who may ask. Accepted: policy.file or policy.existingConfigMap with the section doors" -}}
{{- end -}}
{{- $journal := eq (get $v.config "JOURNAL" | toString) "1" -}}
{{- if and $journal (not $v.state.existingSecret) -}}
{{- $wrong = append $wrong "config.JOURNAL is 1, but state.existingSecret is not set. Accepted: the name of a Secret with the key url, of a PostgreSQL" -}}
{{- end -}}
{{- if and $v.console.enabled (not $journal) -}}
{{- $wrong = append $wrong "console is enabled, but config.JOURNAL is not 1: there would be nothing to show. Accepted: \"1\", and state with it" -}}
{{- end -}}
{{- if and $v.console.enabled (not $v.console.usersSecret) (not (get $v.config "CONSOLE_OIDC_ISSUER")) -}}
{{- $wrong = append $wrong "console is enabled, but nobody may log in. Accepted: console.usersSecret, or config.CONSOLE_OIDC_ISSUER and its other variables" -}}
{{- end -}}
{{- if and $v.tokenAPI.enabled (not $v.state.existingSecret) -}}
{{- $wrong = append $wrong "tokenAPI is enabled, but state.existingSecret is not set: tokens are in the state database. Accepted: the name of a Secret with the key url" -}}
{{- end -}}
{{- if and $v.state.existingSecret (not $v.state.peers) -}}
{{- $wrong = append $wrong "state.existingSecret is set, but state.peers is empty: the network policy lets nothing out to the database. Accepted: peers of a NetworkPolicy, such as an ipBlock" -}}
{{- end -}}
{{- /* A second key of the same name would replace that of the chart. */ -}}
{{- $own := list "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "helm.sh/chart" -}}
{{- $alerts := $v.monitoring.prometheusRule -}}
{{- $monitor := $v.monitoring.serviceMonitor -}}
{{- range $name, $labels := dict "podLabels" $v.podLabels "commonLabels" $v.commonLabels "monitoring.prometheusRule.labels" $alerts.labels "monitoring.serviceMonitor.labels" $monitor.labels -}}
{{- range $key, $_ := $labels -}}
{{- if has $key $own -}}
{{- $wrong = append $wrong (printf "%s has %s, which the chart sets. Accepted: other labels" $name $key) -}}
{{- else if and (hasPrefix "monitoring." $name) (hasKey $v.commonLabels $key) -}}
{{- $wrong = append $wrong (printf "%s has %s, which is in commonLabels. Accepted: one of them" $name $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $key, $_ := $v.podAnnotations -}}
{{- if has $key (list "checksum/variables" "checksum/renewer" "kubectl.kubernetes.io/default-container") -}}
{{- $wrong = append $wrong (printf "podAnnotations has %s, which the chart sets. Accepted: other annotations" $key) -}}
{{- end -}}
{{- end -}}
{{- $name := include "connector.fullname" . -}}
{{- if not (regexMatch "^[a-z]([a-z0-9-]*[a-z0-9])?$" $name) -}}
{{- $wrong = append $wrong (printf "the name of the release makes the name %s, which no Service can have. Accepted: fullnameOverride with lower-case letters, digits and hyphens, the first one a letter" $name) -}}
{{- end -}}
{{- if $wrong -}}
{{- fail (printf "\n%d of the values are wrong:\n- %s\n" (len $wrong) (join "\n- " $wrong)) -}}
{{- end -}}
{{- end -}}
