{{/* Environment of a service's container: what the chart sets, then what people add. The API server takes no name twice. */}}
{{- define "signalink-lib.env" -}}
{{- $own := include "signalink-lib.env.own" . -}}
{{- $names := list -}}
{{- range fromYamlArray $own }}{{ $names = append $names .name }}{{ end -}}
{{ $own }}
{{- range $key, $value := .Values.settings }}
{{- $name := printf "SIGNALINK_%s" $key }}
{{- if has $name $names }}{{ fail (printf "settings.%s: the chart sets %s already; %s" $key $name (include "signalink-lib.env.instead" $name)) }}{{ end }}
{{- $names = append $names $name }}
- name: {{ $name }}
  value: {{ include "signalink-lib.plain" $value | quote }}
{{- end }}
{{- include "signalink-lib.env.extra" (list . $names) }}
{{- end }}

{{/* extraEnv, after the names that are there: (list . names) */}}
{{- define "signalink-lib.env.extra" -}}
{{- $names := index . 1 -}}
{{- range (index . 0).Values.extraEnv }}
{{- if has .name $names }}{{ fail (printf "extraEnv: %s is set already; %s" .name (include "signalink-lib.env.instead" .name)) }}{{ end }}
{{- $names = append $names .name }}
{{- end }}
{{- with (index . 0).Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Which value says what a variable would say. */}}
{{- define "signalink-lib.env.instead" -}}
{{- $key := trimPrefix "SIGNALINK_" . -}}
{{- $value := "" -}}
{{- range list
  (list "^HTTP_PORT$" "ports.http") (list "^METRICS_PORT$" "ports.metrics") (list "^ENVIRONMENT$" "global.environment")
  (list "^LOG_LEVEL$" "logLevel") (list "^TOPIC_PREFIX$" "global.topicPrefix") (list "^WS_ORIGINS$" "global.origins")
  (list "_HOSTS$" "ingress.host or global.publicUrls") (list "^AUTH_JWKS_URL$" "global.serviceUrls")
  (list "_URLS?$" "global.publicUrls or global.serviceUrls") (list "^POSTGRES_" "global.bindings.postgres")
  (list "^KAFKA_HEAP_OPTS$" "heap") (list "^REDIS_" "global.bindings.redis") (list "^KAFKA_" "global.bindings.kafka")
  (list "^FAULTS" "faults") (list "^OPERATOR_API_TOKEN" "apiToken") (list "^OPERATOR_WATCH" "watchNamespaces")
  (list "^AUTH_KEYS_DIR$" "authKeys") (list "_FILE$" "secrets") }}
{{- if and (not $value) (regexMatch (index . 0) $key) }}{{ $value = index . 1 }}{{ end -}}
{{- end -}}
{{ ternary "leave it out: it is the chart's to know" (printf "use the value %s instead" $value) (eq $value "") }}
{{- end }}

{{/* What the chart sets: addresses in clear, secrets as files. The same keys as on every target. */}}
{{- define "signalink-lib.env.own" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
- name: SIGNALINK_HOST
  value: "0.0.0.0"
{{- with .Values.ports.http }}
- name: SIGNALINK_HTTP_PORT
  value: {{ . | quote }}
{{- end }}
- name: SIGNALINK_METRICS_PORT
  value: {{ .Values.ports.metrics | quote }}
- name: SIGNALINK_NODE
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: SIGNALINK_ENVIRONMENT
  value: {{ .Values.global.environment }}
- name: SIGNALINK_LOG_LEVEL
  value: {{ .Values.logLevel }}
{{ include "signalink-lib.env.addresses" . | trim }}
{{- if has "postgres" $s.needs }}
{{ include "signalink-lib.env.postgres" (list . $s.name (include "signalink-lib.postgresUser" .)) }}
{{- end }}
{{- if has "redis" $s.needs }}
{{ include "signalink-lib.env.redis" . }}
{{- end }}
{{- if has "kafka" $s.needs }}
{{ include "signalink-lib.env.kafka" . }}
{{- end }}
{{- if has "kubernetes" $s.needs }}
{{ include "signalink-lib.env.kubernetes" . }}
{{- end }}
- name: SIGNALINK_INSPECT_TOKEN_FILE
  value: /run/secrets/signalink/inspect-token
{{- range $s.secrets }}
{{- if eq . "auth-keys" }}
- name: SIGNALINK_AUTH_KEYS_DIR
  value: /run/secrets/signalink-auth-keys
{{- else }}
- name: SIGNALINK_{{ . | upper | replace "-" "_" }}_FILE
  value: /run/secrets/signalink/{{ . }}
{{- end }}
{{- end }}
{{- include "signalink-lib.env.faults" . }}
{{- end }}

{{/* Where services find each other: the addresses of people for the api and for a service's own, names in the cluster else. */}}
{{- define "signalink-lib.env.addresses" -}}
{{- $top := . -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $public := .Values.global.publicUrls -}}
{{- range $peer := $s.peers }}
{{- $url := index $public $peer.name | default "" -}}
{{- if and (ne $s.name "api") (ne $s.name $peer.name) -}}
{{- $url = include "signalink-lib.peerUrl" (list $top $peer) -}}
{{- end }}
- name: SIGNALINK_{{ $peer.name | upper | replace "-" "_" }}_URL
  value: {{ $url | quote }}
{{- if eq $peer.scheme "ws" }}
- name: SIGNALINK_{{ $peer.name | upper | replace "-" "_" }}_URLS
  value: {{ $url | quote }}
{{- end }}
{{- end }}
- name: SIGNALINK_AUTH_JWKS_URL
  value: {{ printf "%s/.well-known/jwks.json" (include "signalink-lib.peerUrl" (list . (dict "name" "api" "scheme" "http" "port" 8000 "path" ""))) | quote }}
- name: SIGNALINK_WS_ORIGINS
  value: {{ .Values.global.origins | default (list $public.api) | join "," | quote }}
{{- if .Values.ports.http }}
- name: SIGNALINK_{{ $s.name | upper | replace "-" "_" }}_HOSTS
  value: {{ include "signalink-lib.hosts" . | quote }}
{{- end }}
{{- end }}

{{/* Every name the service may be called by: those that pods of this cluster use, and the one its way in is for. */}}
{{- define "signalink-lib.hosts" -}}
{{- $name := include "signalink-lib.fullname" . -}}
{{- $in := printf "%s.%s" $name .Release.Namespace -}}
{{- $hosts := list $name $in (printf "%s.svc" $in) (printf "%s.svc.%s" $in .Values.global.clusterDomain) -}}
{{- if ne .Values.ingress.mode "none" }}{{ $hosts = append $hosts .Values.ingress.host | uniq }}{{ end -}}
{{ join "," $hosts }}
{{- end }}

{{- define "signalink-lib.env.kubernetes" -}}
- name: SIGNALINK_OPERATOR_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- with .Values.watchNamespaces }}
- name: SIGNALINK_OPERATOR_WATCH_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
{{- if include "signalink-lib.apiTokenSecret" . }}
- name: SIGNALINK_OPERATOR_API_TOKEN_FILE
  value: /run/secrets/signalink/operator-api-token
{{- end }}
{{- end }}

{{- define "signalink-lib.env.faults" -}}
{{- if .Values.faults.enabled }}
- name: SIGNALINK_FAULTS
  value: "on"
- name: SIGNALINK_FAULTS_TOKEN_FILE
  value: /run/secrets/signalink/faults-token
{{- with .Values.faults.points }}
- name: SIGNALINK_FAULTS_FILE
  value: /etc/signalink/faults/faults.json
{{- end }}
{{- end }}
{{- end }}
