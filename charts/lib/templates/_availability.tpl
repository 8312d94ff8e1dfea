{{- define "signalink-lib.hpa" -}}
{{- if .Values.autoscaling.enabled -}}
{{- if gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas) }}{{ fail "autoscaling.minReplicas is greater than autoscaling.maxReplicas" }}{{ end -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "signalink-lib.fullname" . | quote }}
  minReplicas: {{ .Values.autoscaling.minReplicas }}
  maxReplicas: {{ .Values.autoscaling.maxReplicas }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ .Values.autoscaling.targetCPUUtilizationPercentage }}
  {{- with .Values.autoscaling.behavior }}
  behavior:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}

{{/* Only where more than one pod runs: with one it would only block a node's maintenance. */}}
{{- define "signalink-lib.pdb" -}}
{{- $auto := .Values.autoscaling | default dict -}}
{{- $pods := ternary $auto.minReplicas .Values.replicaCount ($auto.enabled | default false) | int -}}
{{- if and .Values.podDisruptionBudget.enabled (gt $pods 1) -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
spec:
  maxUnavailable: {{ toYaml .Values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "signalink-lib.selector" (list . (include "signalink-lib.name" .)) | nindent 6 }}
{{- end }}
{{- end }}
