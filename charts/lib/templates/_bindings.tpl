{{/* What this chart sees of a backing service, as YAML: global.bindings with the chart's differences. (list . "postgres") */}}
{{- define "signalink-lib.binding" -}}
{{- $top := index . 0 -}}
{{- $what := index . 1 -}}
{{- $own := index ($top.Values.bindings | default dict) $what | default dict -}}
{{ mergeOverwrite (deepCopy (index $top.Values.global.bindings $what)) (deepCopy $own) | toYaml }}
{{- end }}

{{/* Host of Postgres or Redis: (list . "postgres" "postgres"), the last is the chart that runs it. */}}
{{- define "signalink-lib.bindingHost" -}}
{{- $top := index . 0 -}}
{{- $what := index . 1 -}}
{{- $binding := include "signalink-lib.binding" (list $top $what) | fromYaml -}}
{{- if $binding.host -}}
{{ $binding.host }}
{{- else if eq $binding.provider "chart" -}}
{{ include "signalink-lib.host" (list $top (index . 2)) }}
{{- else -}}
{{ fail (printf "global.bindings.%s.host is missing: with provider %s name the host of the server" $what $binding.provider) }}
{{- end -}}
{{- end }}

{{- define "signalink-lib.brokers" -}}
{{- $binding := include "signalink-lib.binding" (list . "kafka") | fromYaml -}}
{{- if $binding.brokers -}}
{{ join "," $binding.brokers }}
{{- else if eq $binding.provider "chart" -}}
{{ include "signalink-lib.host" (list . "kafka") }}:9092
{{- else -}}
{{ fail (printf "global.bindings.kafka.brokers is missing: with provider %s name host:port of the brokers" $binding.provider) }}
{{- end -}}
{{- end }}

{{/* Name of the Secret of a binding: (list . passwordSecret chart) */}}
{{- define "signalink-lib.bindingSecret" -}}
{{ (index . 1).name | default (printf "%s-auth" (include "signalink-lib.peer" (list (index . 0) (index . 2)))) }}
{{- end }}

{{/* Environment of Postgres for a principal: (list . principal role passwordSecret) */}}
{{- define "signalink-lib.env.postgres" -}}
{{- $top := index . 0 -}}
{{- $binding := include "signalink-lib.binding" (list $top "postgres") | fromYaml -}}
- name: SIGNALINK_POSTGRES_DSN
  value: {{ printf "postgresql://%s@%s:%d/%s" (index . 2) (include "signalink-lib.bindingHost" (list $top "postgres" "postgres")) (int $binding.port) $binding.database | quote }}
{{- include "signalink-lib.env.signin" (list $top "postgres" (index . 1)) }}
{{- if $binding.tls }}
- name: SIGNALINK_POSTGRES_TLS
  value: "on"
{{- end }}
{{- end }}

{{/* Refuses what our own chart of a backing service cannot be: it has one port and one database, and no TLS. (list . "postgres") */}}
{{- define "signalink-lib.ownBinding" -}}
{{- $what := index . 1 -}}
{{- $binding := include "signalink-lib.binding" . | fromYaml -}}
{{- $only := dict "postgres" (dict "port" 5432 "database" "signalink" "tls" false) "redis" (dict "port" 6379 "tls" false) "kafka" (dict "security" "sasl_plaintext") -}}
{{- if and (eq $binding.provider "chart") (not $binding.host) (not $binding.brokers) -}}
{{- range $key, $value := index $only $what -}}
{{- $given := index $binding $key -}}
{{- if ne (toString $given) (toString $value) }}{{ fail (printf "global.bindings.%s.%s is %v: the %s of our own chart has %v and nothing else; leave it out, or name another provider and its address" $what $key $given $what $value) }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* How a principal proves who it is: (list . "postgres" principal). What iam needs is asked for here. */}}
{{- define "signalink-lib.env.signin" -}}
{{- $top := index . 0 -}}
{{- $what := index . 1 -}}
{{- $binding := include "signalink-lib.binding" (list $top $what) | fromYaml -}}
{{- $key := printf "global.bindings.%s" $what -}}
{{- include "signalink-lib.ownBinding" (list $top $what) -}}
{{- if eq $binding.auth "iam" }}
{{- if eq $binding.provider "chart" }}{{ fail (printf "%s.auth is iam: the %s of our own chart knows passwords only; name another provider" $key $what) }}{{ end }}
{{- if not $binding.tls }}{{ fail (printf "%s.tls is false: with auth iam tokens would travel in clear; set it to true" $key) }}{{ end }}
{{- if not $binding.awsRegion }}{{ fail (printf "%s.awsRegion is missing: with auth iam name the region, such as eu-central-1" $key) }}{{ end }}
{{- if and (eq $what "redis") (not $binding.cache) }}{{ fail (printf "%s.cache is missing: with auth iam name the cache, which tokens are for" $key) }}{{ end }}
- name: SIGNALINK_{{ upper $what }}_AUTH
  value: iam
- name: SIGNALINK_{{ upper $what }}_AWS_REGION
  value: {{ $binding.awsRegion | quote }}
{{- with $binding.cache }}
- name: SIGNALINK_{{ upper $what }}_CACHE
  value: {{ . | quote }}
{{- end }}
{{- else }}
- name: SIGNALINK_{{ upper $what }}_PASSWORD_FILE
  value: /run/secrets/signalink/{{ $what }}-{{ index . 2 }}
{{- end }}
{{- include "signalink-lib.env.ca" (list $top $what) }}
{{- end }}

{{/* Where the certificates of a server's authority are: (list . "postgres") */}}
{{- define "signalink-lib.env.ca" -}}
{{- $binding := include "signalink-lib.binding" . | fromYaml -}}
{{- if $binding.caConfigMap.name }}
- name: SIGNALINK_{{ index . 1 | upper }}_CA_FILE
  value: /run/secrets/signalink/{{ index . 1 }}-ca.pem
{{- end }}
{{- end }}

{{/* Who signs in as the owner of the schemas has an account of its own where its role says so: (list . suffix) */}}
{{- define "signalink-lib.ownerAccount" -}}
{{- $top := index . 0 -}}
{{- $iam := eq (include "signalink-lib.binding" (list $top "postgres") | fromYaml).auth "iam" -}}
{{ ternary (printf "%s%s" (include "signalink-lib.fullname" $top) (index . 1)) (include "signalink-lib.serviceAccountName" $top) (and $iam $top.Values.serviceAccount.create) }}
{{- end }}

{{- define "signalink-lib.env.redis" -}}
{{- $name := (include "signalink-lib.service" . | fromYaml).name -}}
{{- $binding := include "signalink-lib.binding" (list . "redis") | fromYaml -}}
- name: SIGNALINK_REDIS_URL
  value: {{ printf "%s://%s@%s:%d/%d" (ternary "rediss" "redis" $binding.tls) ($binding.user | default $name) (include "signalink-lib.bindingHost" (list . "redis" "valkey")) (int $binding.port) (int $binding.database) | quote }}
{{- include "signalink-lib.env.signin" (list . "redis" $name) }}
{{- end }}

{{- define "signalink-lib.env.kafka" -}}
{{- $name := (include "signalink-lib.service" . | fromYaml).name -}}
{{- $binding := include "signalink-lib.binding" (list . "kafka") | fromYaml -}}
{{- include "signalink-lib.ownBinding" (list . "kafka") -}}
- name: SIGNALINK_KAFKA_BOOTSTRAP
  value: {{ include "signalink-lib.brokers" . | quote }}
- name: SIGNALINK_KAFKA_SECURITY
  value: {{ $binding.security | quote }}
{{- if hasPrefix "sasl" $binding.security }}
- name: SIGNALINK_KAFKA_USER
  value: {{ $binding.user | default $name | quote }}
- name: SIGNALINK_KAFKA_PASSWORD_FILE
  value: /run/secrets/signalink/kafka-{{ $name }}
{{- end }}
{{- include "signalink-lib.env.ca" (list . "kafka") }}
{{- with $binding.awsRegion }}
- name: SIGNALINK_KAFKA_AWS_REGION
  value: {{ . | quote }}
{{- end }}
{{- with .Values.global.topicPrefix }}
- name: SIGNALINK_TOPIC_PREFIX
  value: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Role of the service's own principal. */}}
{{- define "signalink-lib.postgresUser" -}}
{{- $binding := include "signalink-lib.binding" (list . "postgres") | fromYaml -}}
{{ $binding.user | default (include "signalink-lib.service" . | fromYaml).role }}
{{- end }}
