{{/* The Job that migrates the service's schema. Jobs cannot be changed, so its name carries a hash of all it does. */}}
{{- define "signalink-lib.migrationJob" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- if and $s.database (ne .Values.migrations.mode "off") -}}
{{- $spec := include "signalink-lib.migrationSpec" . -}}
{{- $account := include "signalink-lib.ownerAccount" (list . "-migrate") -}}
{{- if ne $account (include "signalink-lib.serviceAccountName" .) -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "signalink-lib.metadata" (list . (printf "%s-migrate" (include "signalink-lib.name" .)) "-migrate") | nindent 2 }}
automountServiceAccountToken: false
---
{{ end -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "signalink-lib.metadata" (list . (printf "%s-migrate" (include "signalink-lib.name" .)) (printf "-migrate-%s" ($spec | sha256sum | trunc 8))) | nindent 2 }}
  annotations:
    signalink.dev/schema-head: {{ $s.database.head | quote }}
    {{- if eq .Values.migrations.mode "hook" }}
    helm.sh/hook: post-install,pre-upgrade
    helm.sh/hook-weight: "-5"
    helm.sh/hook-delete-policy: before-hook-creation
    {{- end }}
spec:
  {{- $spec | nindent 2 }}
{{- end }}
{{- end }}

{{- define "signalink-lib.migrationSpec" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $m := .Values.migrations -}}
backoffLimit: {{ $m.backoffLimit }}
activeDeadlineSeconds: {{ $m.activeDeadlineSeconds }}
{{- if not .Values.global.keepJobs }}
ttlSecondsAfterFinished: {{ $m.ttlSecondsAfterFinished }}
{{- end }}
template:
  metadata:
    labels:
      {{- include "signalink-lib.selector" (list . (printf "%s-migrate" (include "signalink-lib.name" .))) | nindent 6 }}
      app.kubernetes.io/part-of: signalink
    annotations:
      signalink.dev/schema-head: {{ $s.database.head | quote }}
  spec:
    {{- set (include "signalink-lib.pod" . | fromYaml) "serviceAccountName" (include "signalink-lib.ownerAccount" (list . "-migrate")) | toYaml | nindent 4 }}
    restartPolicy: OnFailure
    initContainers:
      {{- include "signalink-lib.migrationContainer" (list . "wait-for-owner" (list "wait" (printf "--timeout=%d" (int .Values.waitForSchema.timeoutSeconds))) $s.before) | nindent 6 }}
    containers:
      {{- include "signalink-lib.migrationContainer" (list . "migrate" (list "migrate" (printf "--schema=%s" $s.database.schema) (printf "--migrations=%s" $s.database.migrations)) list) | nindent 6 }}
    volumes:
      - name: tmp
        emptyDir:
          sizeLimit: {{ .Values.tmp.sizeLimit | quote }}
      - name: secrets
        projected:
          defaultMode: 0440
          sources:
            {{- include "signalink-lib.ownerSources" (list . $m.database.passwordSecret) | trim | default "[]" | nindent 12 }}
{{- end }}

{{/* (list . name command schemas) */}}
{{- define "signalink-lib.migrationContainer" -}}
{{- $top := index . 0 -}}
{{- $m := $top.Values.migrations -}}
- name: {{ index . 1 | quote }}
  {{- include "signalink-lib.containerImage" (list $top $top.Values.image) | nindent 2 }}
  command: [python, -m, signalink_core.database]
  args:
    {{- range index . 2 }}
    - {{ . }}
    {{- end }}
    {{- range index . 3 }}
    - --schema={{ .schema }}={{ .migrations }}
    {{- end }}
  env:
    {{- include "signalink-lib.env.postgres" (list $top "owner" $m.database.user) | nindent 4 }}
  {{- include "signalink-lib.resources" $m.resources | nindent 2 }}
  {{- include "signalink-lib.securityContext" $top | nindent 2 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    - name: secrets
      mountPath: /run/secrets/signalink
      readOnly: true
{{- end }}
