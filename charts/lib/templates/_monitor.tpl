{{/* A ServiceMonitor where there is a Service, else a PodMonitor; only where the cluster knows the kind. */}}
{{- define "signalink-lib.monitor" -}}
{{- $kind := ternary "ServiceMonitor" "PodMonitor" (hasKey .Values "service") -}}
{{- if and .Values.metrics.enabled (include "signalink-lib.hasApi" (list . (printf "monitoring.coreos.com/v1/%s" $kind))) -}}
apiVersion: monitoring.coreos.com/v1
kind: {{ $kind }}
metadata:
  {{- include "signalink-lib.monitorMetadata" . | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "signalink-lib.selector" (list . (include "signalink-lib.name" .)) | nindent 6 }}
  jobLabel: app.kubernetes.io/name
  {{ ternary "endpoints" "podMetricsEndpoints" (eq $kind "ServiceMonitor") }}:
    - port: metrics
      path: /metrics
      interval: {{ .Values.metrics.interval | quote }}
{{- end }}
{{- end }}

{{- define "signalink-lib.monitorMetadata" -}}
name: {{ include "signalink-lib.fullname" . | quote }}
namespace: {{ .Release.Namespace | quote }}
labels:
  {{- include "signalink-lib.labels" (list . (include "signalink-lib.name" .)) | nindent 2 }}
  {{- with .Values.metrics.labels }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* What each chart can say of itself: it does not answer, a fault was left on, and the alerts on its service. */}}
{{- define "signalink-lib.rule" -}}
{{- if and .Values.metrics.rules.enabled (include "signalink-lib.hasApi" (list . "monitoring.coreos.com/v1/PrometheusRule")) -}}
{{- $name := include "signalink-lib.name" . -}}
{{- $where := printf "job=%q, namespace=%q" $name .Release.Namespace -}}
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  {{- include "signalink-lib.monitorMetadata" . | nindent 2 }}
spec:
  groups:
    - name: signalink-{{ $name }}
      rules:
        - alert: TargetDown
          expr: {{ printf "up{%s} == 0 or absent(up{%s})" $where $where | quote }}
          for: 5m
          keep_firing_for: 5m
          labels:
            severity: page
          annotations:
            summary: {{ printf "%s does not answer its scrapes" $name }}
            description: {{ printf "No scrape of %s in namespace %s has worked for 5 minutes; instance {{ $labels.instance }}." $name .Release.Namespace | quote }}
            {{- with .Values.metrics.rules.runbookUrl }}
            runbook_url: {{ . }}TargetDown
            {{- end }}
        - alert: FaultLeftOn
          expr: {{ printf "max by (instance, point) (signalink_fault_active{%s}) > 0" $where | quote }}
          for: 15m
          keep_firing_for: 5m
          labels:
            severity: ticket
          annotations:
            summary: {{ printf "a fault point of %s has been on for 15 minutes" $name }}
            description: {{ "The point {{ $labels.point }} of {{ $labels.instance }} makes calls fail on purpose." | quote }}
            {{- with .Values.metrics.rules.runbookUrl }}
            runbook_url: {{ . }}FaultLeftOn
            {{- end }}
    {{- range $path, $_ := .Files.Glob "files/alerts/*.yaml" }}
    {{- ($.Files.Get $path | fromYaml).groups | toYaml | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
