{{/* Everything of a pod but its containers and volumes: (list . serviceaccount). */}}
{{- define "signalink-lib.pod" -}}
serviceAccountName: {{ include "signalink-lib.serviceAccountName" . | quote }}
automountServiceAccountToken: false
enableServiceLinks: false
{{- include "signalink-lib.pullSecrets" . }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.securityContext.runAsUser | int64 }}
  runAsGroup: {{ .Values.securityContext.runAsGroup | int64 }}
  fsGroup: {{ .Values.securityContext.fsGroup | int64 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile:
    type: RuntimeDefault
{{- with .Values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "signalink-lib.securityContext" -}}
securityContext:
  allowPrivilegeEscalation: false
  privileged: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  runAsUser: {{ .Values.securityContext.runAsUser | int64 }}
  runAsGroup: {{ .Values.securityContext.runAsGroup | int64 }}
  capabilities:
    drop: [ALL]
  seccompProfile:
    type: RuntimeDefault
{{- end }}

{{/* Pods of one kind on different nodes where that is possible: (list . component) */}}
{{- define "signalink-lib.apart" -}}
affinity:
  podAntiAffinity:
    preferredDuringSchedulingIgnoredDuringExecution:
      - weight: 100
        podAffinityTerm:
          topologyKey: kubernetes.io/hostname
          labelSelector:
            matchLabels:
              {{- include "signalink-lib.selector" . | nindent 14 }}
{{- end }}

{{/* topologySpreadConstraints: (list . component) */}}
{{- define "signalink-lib.spread" -}}
{{- $top := index . 0 -}}
topologySpreadConstraints:
{{- $labels := include "signalink-lib.selector" . -}}
{{- range $top.Values.topologySpread.topologyKeys }}
  - maxSkew: 1
    topologyKey: {{ . | quote }}
    whenUnsatisfiable: {{ $top.Values.topologySpread.whenUnsatisfiable | quote }}
    labelSelector:
      matchLabels:
        {{- $labels | nindent 8 }}
{{- end }}
{{- end }}

{{- define "signalink-lib.serviceAccountName" -}}
{{- $given := .Values.serviceAccount.name -}}
{{- if .Values.serviceAccount.create }}{{ $given | default (include "signalink-lib.fullname" .) }}{{ else }}{{ $given | default "default" }}{{ end }}
{{- end }}

{{- define "signalink-lib.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "signalink-lib.serviceAccountName" . | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "signalink-lib.labels" (list . (include "signalink-lib.name" .)) | nindent 4 }}
  {{- with .Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end }}
