{{/* What the chart's service.toml says, as YAML: name, kind, needs, ports, secrets, schemas (files/service.yaml is generated). */}}
{{- define "signalink-lib.service" -}}
{{ .Files.Get "files/service.yaml" | default (printf "name: %s" .Chart.Name) }}
{{- end }}

{{/* (list . "values.path" "what to do"): the value under .Values, or an error that names the missing key. */}}
{{- define "signalink-lib.need" -}}
{{- $found := (index . 0).Values -}}
{{- range splitList "." (index . 1) -}}
{{- $found = index $found . | default dict -}}
{{- end -}}
{{- if not $found }}{{ fail (printf "%s is missing: %s" (index . 1) (index . 2)) }}{{ end -}}
{{ $found }}
{{- end }}

{{- define "signalink-lib.name" -}}
{{ .Values.nameOverride | default .Chart.Name }}
{{- end }}

{{/* (list release name): <release>-<name>, at most 45 characters so that most suffixes still fit in 63; a long release is cut and told apart by its hash. */}}
{{- define "signalink-lib.nameIn" -}}
{{- $release := index . 0 -}}
{{- $name := index . 1 -}}
{{- $full := printf "%s-%s" $release $name -}}
{{- if gt (len $full) 45 -}}
{{- $cut := sub 35 (len $name) | max 1 | int -}}
{{- $full = printf "%s-%s-%s" (trunc $cut $release | trimSuffix "-" | trimSuffix ".") (sha256sum $release | trunc 8) $name -}}
{{- end -}}
{{- $full -}}
{{- end }}

{{- define "signalink-lib.fullname" -}}
{{ .Values.fullnameOverride | default (include "signalink-lib.nameIn" (list .Release.Name (include "signalink-lib.name" .))) }}
{{- end }}

{{/* (list . suffix): the full name and a suffix; one that would pass the 63 characters of a label is cut and told apart by its hash. */}}
{{- define "signalink-lib.suffixed" -}}
{{- $full := include "signalink-lib.fullname" (index . 0) -}}
{{- $suffix := index . 1 -}}
{{- if gt (add (len $full) (len $suffix)) 63 -}}
{{- $full = printf "%s-%s" (trunc (sub 54 (len $suffix) | max 1 | int) $full | trimSuffix "-" | trimSuffix ".") (sha256sum $full | trunc 8) -}}
{{- end -}}
{{ $full }}{{ $suffix }}
{{- end }}

{{/* (list . "api"): the full name of another chart of this release. */}}
{{- define "signalink-lib.peer" -}}
{{ include "signalink-lib.nameIn" (list (index . 0).Release.Name (index . 1)) }}
{{- end }}

{{/* (list . "api"): its host name as seen from any namespace. */}}
{{- define "signalink-lib.host" -}}
{{- $top := index . 0 -}}
{{ include "signalink-lib.peer" . }}.{{ $top.Release.Namespace }}.svc.{{ $top.Values.global.clusterDomain }}
{{- end }}

{{/* This chart's own host name as seen from any namespace, however it is called. */}}
{{- define "signalink-lib.ownHost" -}}
{{ include "signalink-lib.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.global.clusterDomain }}
{{- end }}

{{/* (list . peer): where another service is, peer as in files/service.yaml; global.serviceUrls says it of one outside this release. */}}
{{- define "signalink-lib.peerUrl" -}}
{{- $peer := index . 1 -}}
{{ index (index . 0).Values.global.serviceUrls $peer.name | default (printf "%s://%s:%d%s" $peer.scheme (include "signalink-lib.host" (list (index . 0) $peer.name)) (int $peer.port) $peer.path) }}
{{- end }}

{{/* True text when the cluster (or global.apiVersions) has the version or kind: (list . "policy/v1" ...) needs all. */}}
{{- define "signalink-lib.hasApi" -}}
{{- $top := index . 0 -}}
{{- $has := true -}}
{{- range rest . -}}
{{- if not (or ($top.Capabilities.APIVersions.Has .) (has . $top.Values.global.apiVersions)) }}{{ $has = false }}{{ end -}}
{{- end -}}
{{- if $has }}true{{ end -}}
{{- end }}

{{/* A value as a configuration file wants it: whole numbers without an exponent. */}}
{{- define "signalink-lib.plain" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) }}{{ int64 . }}{{ else }}{{ . }}{{ end -}}
{{- end }}
