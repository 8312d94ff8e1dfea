{{/* Environment of a service's container: what the chart knows, then settings and extraEnv, each name once. */}}
{{- define "signalink-lib.env" -}}
{{- $own := include "signalink-lib.env.own" . -}}
{{- $names := list -}}
{{- range fromYamlArray $own }}{{ $names = append $names .name }}{{ end -}}
{{ $own }}
{{- range $key, $value := .Values.settings }}
{{- $name := printf "SIGNALINK_%s" $key }}
{{- if has $name $names }}{{ include "signalink-lib.env.taken" (list (printf "settings.%s" $key) $name) }}{{ end }}
{{- $names = append $names $name }}
- name: {{ $name | quote }}
  value: {{ include "signalink-lib.plain" $value | quote }}
{{- end }}
{{- include "signalink-lib.env.extra" (list . $names) }}
{{- end }}

{{/* extraEnv of a container that has these names already: (list . names) */}}
{{- define "signalink-lib.env.extra" -}}
{{- $names := index . 1 -}}
{{- range $variable := (index . 0).Values.extraEnv }}
{{- if has $variable.name $names }}{{ include "signalink-lib.env.taken" (list "extraEnv" $variable.name) }}{{ end }}
{{- $names = append $names $variable.name }}
{{- end }}
{{- with (index . 0).Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Refuse a name that is there already: a container may have each once. (list value name) */}}
{{- define "signalink-lib.env.taken" -}}
{{- $ours := hasPrefix "SIGNALINK_" (index . 1) -}}
{{- $key := trimPrefix "SIGNALINK_" (index . 1) -}}
{{- $known := dict "LOG_LEVEL" "logLevel" "HTTP_PORT" "ports.http" "METRICS_PORT" "ports.metrics" "ENVIRONMENT" "global.environment" "TOPIC_PREFIX" "global.topicPrefix" "WS_ORIGINS" "global.origins" "AUTH_JWKS_URL" "global.serviceUrls.api" "AUTH_KEYS_DIR" "authKeys.existingSecret" "OPERATOR_WATCH_NAMESPACES" "watchNamespaces" "OPERATOR_API_TOKEN_FILE" "apiToken.existingSecret" -}}
{{- $servers := dict "KAFKA_HEAP_OPTS" "heap" "POSTGRES_PASSWORD_FILE" "auth.existingSecret" -}}
{{- $value := index (ternary $known $servers $ours) $key | default "" -}}
{{- if $ours -}}
{{- range $engine := list "postgres" "redis" "kafka" -}}
{{- if and (not $value) (hasPrefix (printf "%s_" (upper $engine)) $key) }}{{ $value = printf "global.bindings.%s" $engine }}{{ end -}}
{{- end -}}
{{- if and (not $value) (hasPrefix "FAULTS" $key) }}{{ $value = "faults" }}{{ end -}}
{{- if and (not $value) (or (hasSuffix "_URL" $key) (hasSuffix "_URLS" $key)) }}{{ $value = "global.publicUrls or global.serviceUrls" }}{{ end -}}
{{- if and (not $value) (hasSuffix "_HOSTS" $key) }}{{ $value = "ingress.host or global.publicUrls" }}{{ end -}}
{{- if and (not $value) (hasSuffix "_FILE" $key) }}{{ $value = "secrets.existingSecret" }}{{ end -}}
{{- end -}}
{{ fail (printf "%s: %s is set already, and a container has each name once; %s" (index . 0) (index . 1) (ternary (printf "use the value %s instead" $value) "take it out" (ne $value ""))) }}
{{- end }}

{{/* Addresses in clear, secrets as files: the same keys as on every target. */}}
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
  value: {{ .Values.global.environment | quote }}
- name: SIGNALINK_LOG_LEVEL
  value: {{ .Values.logLevel | quote }}
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

{{/* Namespaces that the operator looks after, by commas: its own (where its canaries and the platform's Topics are) and those that are named; empty: all. */}}
{{- define "signalink-lib.watched" -}}
{{- if not (has "*" .Values.watchNamespaces) -}}
{{ concat (list .Release.Namespace) .Values.watchNamespaces | uniq | join "," }}
{{- end -}}
{{- end }}

{{- define "signalink-lib.env.kubernetes" -}}
- name: SIGNALINK_OPERATOR_NAMESPACE
  valueFrom:
    fieldRef:
      fieldPath: metadata.namespace
{{- with include "signalink-lib.watched" . }}
- name: SIGNALINK_OPERATOR_WATCH_NAMESPACES
  value: {{ . | quote }}
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
