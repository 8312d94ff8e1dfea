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
- name: SIGNALINK_POSTGRES_PASSWORD_FILE
  value: /run/secrets/signalink/postgres-{{ index . 1 }}
{{- end }}

{{- define "signalink-lib.env.redis" -}}
{{- $name := (include "signalink-lib.service" . | fromYaml).name -}}
{{- $binding := include "signalink-lib.binding" (list . "redis") | fromYaml -}}
- name: SIGNALINK_REDIS_URL
  value: {{ printf "%s://%s@%s:%d/%d" (ternary "rediss" "redis" $binding.tls) ($binding.user | default $name) (include "signalink-lib.bindingHost" (list . "redis" "valkey")) (int $binding.port) (int $binding.database) | quote }}
- name: SIGNALINK_REDIS_PASSWORD_FILE
  value: /run/secrets/signalink/redis-{{ $name }}
{{- end }}

{{- define "signalink-lib.env.kafka" -}}
{{- $name := (include "signalink-lib.service" . | fromYaml).name -}}
{{- $binding := include "signalink-lib.binding" (list . "kafka") | fromYaml -}}
- name: SIGNALINK_KAFKA_BOOTSTRAP
  value: {{ include "signalink-lib.brokers" . | quote }}
- name: SIGNALINK_KAFKA_SECURITY
  value: {{ $binding.security }}
{{- if hasPrefix "sasl" $binding.security }}
- name: SIGNALINK_KAFKA_USER
  value: {{ $binding.user | default $name }}
- name: SIGNALINK_KAFKA_PASSWORD_FILE
  value: /run/secrets/signalink/kafka-{{ $name }}
{{- end }}
{{- with $binding.awsRegion }}
- name: SIGNALINK_KAFKA_AWS_REGION
  value: {{ . }}
{{- end }}
{{- with .Values.global.topicPrefix }}
- name: SIGNALINK_TOPIC_PREFIX
  value: {{ . }}
{{- end }}
{{- end }}

{{/* Role of the service's own principal. */}}
{{- define "signalink-lib.postgresUser" -}}
{{- $binding := include "signalink-lib.binding" (list . "postgres") | fromYaml -}}
{{ $binding.user | default (include "signalink-lib.service" . | fromYaml).role }}
{{- end }}
