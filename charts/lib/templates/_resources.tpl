{{/* resources of a container from a values table; null takes a row out. */}}
{{- define "signalink-lib.resources" -}}
resources:
  requests:
    {{- toYaml .requests | nindent 4 }}
  limits:
    {{- toYaml .limits | nindent 4 }}
{{- end }}

{{/* The three probes; unready and unhealthy ask a path that is never there. */}}
{{- define "signalink-lib.probes" -}}
{{- $faults := .Values.faults | default dict -}}
startupProbe:
  httpGet: {path: {{ .Values.probes.live }}, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 2
  failureThreshold: {{ div (add (mul (int .Values.probes.startupSeconds) 3) 1) 2 }}
readinessProbe:
  httpGet: {path: {{ if $faults.unready }}/unready-on-purpose{{ else }}{{ .Values.probes.ready }}{{ end }}, port: metrics}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: 2
livenessProbe:
  httpGet: {path: {{ if $faults.unhealthy }}/unhealthy-on-purpose{{ else }}{{ .Values.probes.live }}{{ end }}, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
{{- end }}
