{{/* The container beside a server that tells Prometheus about it: (dict "top" . "args" list "env" map "mount" volume "at" path). */}}
{{- define "signalink-lib.exporter" -}}
{{- $top := .top -}}
{{- $e := $top.Values.exporter -}}
{{- if $e.enabled -}}
- name: exporter
  {{- include "signalink-lib.containerImage" (list $top $e.image) | nindent 2 }}
  {{- with .args }}
  args: {{ toJson . }}
  {{- end }}
  ports:
    - name: metrics
      containerPort: {{ (include "signalink-lib.service" $top | fromYaml).metrics }}
  {{- with .env }}
  env:
    {{- range $key, $value := . }}
    - name: {{ $key | quote }}
      value: {{ $value | quote }}
    {{- end }}
  {{- end }}
  readinessProbe:
    httpGet: {path: /, port: metrics}
    periodSeconds: 10
    timeoutSeconds: 5
  livenessProbe:
    tcpSocket: {port: metrics}
    periodSeconds: 20
    timeoutSeconds: 5
    failureThreshold: 6
  {{- include "signalink-lib.resources" $e.resources | nindent 2 }}
  {{- include "signalink-lib.securityContext" $top | nindent 2 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    - name: exporter
      mountPath: {{ .at }}
      readOnly: true
{{- end }}
{{- end }}

{{/* Where an init container writes what the exporter reads: the word of the prober, in the exporter's own form. */}}
{{- define "signalink-lib.exporterVolume" -}}
{{- if .Values.exporter.enabled -}}
- name: exporter
  emptyDir:
    medium: Memory
    sizeLimit: 1Mi
{{- end }}
{{- end }}

{{- define "signalink-lib.exporterMonitor" -}}
{{- if and .Values.exporter.enabled (include "signalink-lib.hasApi" (list . "monitoring.coreos.com/v1/PodMonitor")) -}}
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
spec:
  selector:
    matchLabels:
      {{- include "signalink-lib.selector" (list . (include "signalink-lib.name" .)) | nindent 6 }}
  jobLabel: app.kubernetes.io/name
  podMetricsEndpoints:
    - port: metrics
      path: /metrics
{{- end }}
{{- end }}
