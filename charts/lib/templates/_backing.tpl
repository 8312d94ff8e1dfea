{{/* Parts of the charts of backing services. Their Secret holds the word of every principal, a key each. */}}
{{- define "signalink-lib.authName" -}}
{{ .Values.auth.existingSecret | default (printf "%s-auth" (include "signalink-lib.fullname" .)) }}
{{- end }}

{{- define "signalink-lib.authSecret" -}}
{{ include "signalink-lib.secretFrom" (list . .Values.auth (include "signalink-lib.authName" .) (include "signalink-lib.service" . | fromYaml).keys) }}
{{- end }}

{{/* The volume with words of principals: (list . keys) */}}
{{- define "signalink-lib.authVolume" -}}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      - secret:
          name: {{ include "signalink-lib.authName" (index . 0) | quote }}
          items:
{{- range index . 1 }}
            - key: {{ . | quote }}
              path: {{ . | quote }}
{{- end }}
{{- end }}

{{/* metadata, replicas, selector and pod metadata of a StatefulSet of one pod. */}}
{{- define "signalink-lib.statefulSetHead" -}}
{{- $name := include "signalink-lib.name" . -}}
replicas: {{ .Values.replicaCount }}
serviceName: {{ include "signalink-lib.fullname" . }}-headless
revisionHistoryLimit: 3
updateStrategy:
  type: RollingUpdate
selector:
  matchLabels:
    {{- include "signalink-lib.selector" (list . $name) | nindent 4 }}
{{- if (.Values.persistence | default dict).enabled }}
persistentVolumeClaimRetentionPolicy:
  {{- toYaml .Values.persistence.retention | nindent 2 }}
{{- end }}
{{- end }}

{{- define "signalink-lib.podMetadata" -}}
labels:
  {{- include "signalink-lib.podLabels" (list . (include "signalink-lib.name" .)) | nindent 2 }}
annotations:
  {{- include "signalink-lib.checksums" . | nindent 2 }}
  {{- with .Values.podAnnotations }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "signalink-lib.claims" -}}
{{- if .Values.persistence.enabled -}}
volumeClaimTemplates:
  - metadata:
      name: data
      labels:
        {{- include "signalink-lib.selector" (list . (include "signalink-lib.name" .)) | nindent 8 }}
      {{- with .Values.persistence.annotations }}
      annotations:
        {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      accessModes: [ReadWriteOnce]
      {{- with .Values.persistence.storageClass }}
      storageClassName: {{ ternary "" . (eq . "-") | quote }}
      {{- end }}
      resources:
        requests:
          storage: {{ .Values.persistence.size | quote }}
{{- end }}
{{- end }}

{{/* A Service for clients and a headless one for the StatefulSet: (list . port), or (list . port others) with further ports by name. */}}
{{- define "signalink-lib.backingServices" -}}
{{- $top := index . 0 -}}
{{- $port := index . 1 -}}
{{- $name := include "signalink-lib.name" $top -}}
{{- $main := $name | trunc 15 | trimSuffix "-" -}}
{{- $others := dict -}}
{{- if gt (len .) 2 }}{{ $others = index . 2 | default dict }}{{ end -}}
{{- range $suffix := list "" "-headless" }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "signalink-lib.metadata" (list $top $name $suffix) | nindent 2 }}
spec:
  {{- if $suffix }}
  clusterIP: None
  publishNotReadyAddresses: true
  {{- else }}
  type: ClusterIP
  {{- end }}
  selector:
    {{- include "signalink-lib.selector" (list $top $name) | nindent 4 }}
  ports:
    - name: {{ $main | quote }}
      port: {{ $port }}
      targetPort: {{ $main }}
    {{- range $other, $number := $others }}
    - name: {{ $other | quote }}
      port: {{ $number }}
      targetPort: {{ $other }}
    {{- end }}
{{- end }}
{{- end }}

{{/* The Job that makes roles or rights of every principal: (list . args env). Its name carries a hash of all it does. */}}
{{- define "signalink-lib.bootstrapJob" -}}
{{- $top := index . 0 -}}
{{- if $top.Values.bootstrap.enabled -}}
{{- $spec := include "signalink-lib.bootstrapSpec" . -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "signalink-lib.metadata" (list $top (printf "%s-bootstrap" (include "signalink-lib.name" $top)) (printf "-bootstrap-%s" ($spec | sha256sum | trunc 8))) | nindent 2 }}
spec:
  {{- $spec | nindent 2 }}
{{- end }}
{{- end }}

{{- define "signalink-lib.bootstrapSpec" -}}
{{- $top := index . 0 -}}
{{- $b := $top.Values.bootstrap -}}
backoffLimit: {{ $b.backoffLimit }}
activeDeadlineSeconds: {{ $b.activeDeadlineSeconds }}
{{- if not $top.Values.global.keepJobs }}
ttlSecondsAfterFinished: {{ $b.ttlSecondsAfterFinished }}
{{- end }}
template:
  metadata:
    labels:
      {{- include "signalink-lib.selector" (list $top (printf "%s-bootstrap" (include "signalink-lib.name" $top))) | nindent 6 }}
      app.kubernetes.io/part-of: signalink
    annotations:
      checksum/secret: {{ $top.Values.auth | toJson | sha256sum }}
  spec:
    {{- include "signalink-lib.pod" $top | nindent 4 }}
    restartPolicy: OnFailure
    containers:
      - name: provision
        {{- include "signalink-lib.containerImage" (list $top $b.image) | nindent 8 }}
        command: [python, -m, signalink_core.provision]
        args:
          {{- toYaml (index . 1) | nindent 10 }}
        env:
          {{- range $key, $value := index . 2 }}
          {{- if $value }}
          - name: {{ $key | quote }}
            value: {{ $value | quote }}
          {{- end }}
          {{- end }}
        {{- include "signalink-lib.resources" $b.resources | nindent 8 }}
        {{- include "signalink-lib.securityContext" $top | nindent 8 }}
        volumeMounts:
          - name: tmp
            mountPath: /tmp
          - name: secrets
            mountPath: /run/secrets/signalink
            readOnly: true
    volumes:
      - name: tmp
        emptyDir:
          sizeLimit: {{ $top.Values.tmp.sizeLimit | quote }}
      {{- include "signalink-lib.authVolume" (list $top (include "signalink-lib.service" $top | fromYaml).keys) | nindent 6 }}
{{- end }}

{{- define "signalink-lib.backingNotes" -}}
{{- $name := include "signalink-lib.fullname" . -}}
{{ .Chart.Name }} {{ .Chart.AppVersion }} is release {{ .Release.Name }} in namespace {{ .Release.Namespace }}: one pod, for kind, labs and small teams.

Address: {{ include "signalink-lib.ownHost" . }}

Watch it start:
  kubectl --namespace {{ .Release.Namespace }} rollout status statefulset/{{ $name }}
{{- if not .Values.auth.existingSecret }}

The words of the principals are in Secret {{ include "signalink-lib.authName" . }}, which uninstalling keeps.
{{- end }}
Release test: helm --namespace {{ .Release.Namespace }} test {{ .Release.Name }}
{{- end }}
