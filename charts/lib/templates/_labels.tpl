{{/* Selectors: these three never change between versions. (list . component) */}}
{{- define "signalink-lib.selector" -}}
{{- $top := index . 0 -}}
app.kubernetes.io/name: {{ include "signalink-lib.name" $top | quote }}
app.kubernetes.io/instance: {{ $top.Release.Name | quote }}
app.kubernetes.io/component: {{ index . 1 | quote }}
{{- end }}

{{- define "signalink-lib.labels" -}}
{{- $top := index . 0 -}}
{{ include "signalink-lib.selector" . }}
app.kubernetes.io/version: {{ $top.Chart.AppVersion | quote }}
app.kubernetes.io/part-of: signalink
app.kubernetes.io/managed-by: {{ $top.Release.Service | quote }}
helm.sh/chart: {{ printf "%s-%s" $top.Chart.Name $top.Chart.Version | replace "+" "_" }}
{{- with $top.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* metadata of an object: (list . component suffix), component and suffix may be left out. */}}
{{- define "signalink-lib.metadata" -}}
{{- $top := index . 0 -}}
{{- $name := include "signalink-lib.name" $top -}}
{{- $component := $name -}}
{{- if gt (len .) 1 }}{{ $component = index . 1 | default $name }}{{ end -}}
name: {{ include "signalink-lib.suffixed" (list $top (ternary (last .) "" (gt (len .) 2))) | quote }}
namespace: {{ $top.Release.Namespace | quote }}
labels:
  {{- include "signalink-lib.labels" (list $top $component) | nindent 2 }}
{{- end }}

{{/* labels and annotations of a pod template: (list . component) */}}
{{- define "signalink-lib.podLabels" -}}
{{- $top := index . 0 -}}
{{ include "signalink-lib.labels" . }}
{{- if dig "enabled" false (index $top.Values "faults" | default dict) }}
signalink.dev/faults: "on"
{{- end }}
{{- with $top.Values.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}
