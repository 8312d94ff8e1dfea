{{- define "signalink-lib.deployment" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $name := include "signalink-lib.name" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
spec:
  {{- if not (.Values.autoscaling | default dict).enabled }}
  replicas: {{ .Values.replicaCount }}
  {{- end }}
  revisionHistoryLimit: 3
  strategy:
    {{- if has "kubernetes" $s.needs }}
    type: Recreate
    {{- else }}
    type: RollingUpdate
    rollingUpdate:
      maxUnavailable: 0
      maxSurge: 1
    {{- end }}
  selector:
    matchLabels:
      {{- include "signalink-lib.selector" (list . $name) | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "signalink-lib.podLabels" (list . $name) | nindent 8 }}
      annotations:
        {{- include "signalink-lib.checksums" . | nindent 8 }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      {{- include "signalink-lib.pod" . | nindent 6 }}
      terminationGracePeriodSeconds: {{ add .Values.shutdown.preStopSeconds .Values.shutdown.drainSeconds 5 }}
      {{- if ne $s.name "operator" }}
      {{- if not .Values.affinity }}
      {{- include "signalink-lib.apart" (list . $name) | nindent 6 }}
      {{- end }}
      {{- include "signalink-lib.spread" (list . $name) | nindent 6 }}
      {{- end }}
      {{- if and (hasKey .Values "waitForSchema") .Values.waitForSchema.enabled }}
      initContainers:
        {{- include "signalink-lib.waitInit" . | nindent 8 }}
      {{- end }}
      containers:
        - name: {{ $s.name }}
          {{- include "signalink-lib.containerImage" (list . .Values.image) | nindent 10 }}
          ports:
            {{- with .Values.ports.http }}
            - name: http
              containerPort: {{ . }}
            {{- end }}
            - name: metrics
              containerPort: {{ .Values.ports.metrics }}
          env:
            {{- include "signalink-lib.env" . | nindent 12 }}
          {{- include "signalink-lib.probes" . | nindent 10 }}
          lifecycle:
            preStop:
              sleep:
                seconds: {{ .Values.shutdown.preStopSeconds }}
          {{- include "signalink-lib.resources" .Values.resources | nindent 10 }}
          {{- include "signalink-lib.securityContext" . | nindent 10 }}
          volumeMounts:
            {{- include "signalink-lib.volumeMounts" . | nindent 12 }}
      volumes:
        {{- include "signalink-lib.volumes" . | nindent 8 }}
{{- end }}

{{/* The init container that waits until the schemas serve this image, and never migrates. */}}
{{- define "signalink-lib.waitInit" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
- name: wait-for-schema
  {{- include "signalink-lib.containerImage" (list . .Values.image) | nindent 2 }}
  command: [python, -m, signalink_core.database, wait]
  args:
    - --timeout={{ .Values.waitForSchema.timeoutSeconds }}
    {{- range $s.schemas }}
    - --schema={{ .schema }}={{ .migrations }}
    {{- end }}
  env:
    {{- include "signalink-lib.env.postgres" (list . $s.name (include "signalink-lib.postgresUser" .)) | nindent 4 }}
  {{- include "signalink-lib.resources" .Values.waitForSchema.resources | nindent 2 }}
  {{- include "signalink-lib.securityContext" . | nindent 2 }}
  volumeMounts:
    - name: tmp
      mountPath: /tmp
    - name: secrets
      mountPath: /run/secrets/signalink
      readOnly: true
{{- end }}

{{- define "signalink-lib.servicePorts" -}}
{{- $name := include "signalink-lib.name" . -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
  {{- with .Values.service.annotations }}
  {{- if eq $.Values.service.type "ClusterIP" }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
spec:
  type: ClusterIP
  selector:
    {{- include "signalink-lib.selector" (list . $name) | nindent 4 }}
  ports:
    - name: http
      port: {{ .Values.ports.http }}
      targetPort: http
    - name: metrics
      port: {{ .Values.ports.metrics }}
      targetPort: metrics
{{- if ne .Values.service.type "ClusterIP" }}
---
{{ include "signalink-lib.publicService" . }}
{{- end }}
{{- end }}

{{/* What people outside the cluster reach: the http port and no other. */}}
{{- define "signalink-lib.publicService" -}}
apiVersion: v1
kind: Service
metadata:
  {{- include "signalink-lib.metadata" (list . "" "-public") | nindent 2 }}
  {{- with .Values.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  type: {{ .Values.service.type }}
  externalTrafficPolicy: {{ .Values.service.externalTrafficPolicy }}
  selector:
    {{- include "signalink-lib.selector" (list . (include "signalink-lib.name" .)) | nindent 4 }}
  ports:
    - name: http
      port: {{ .Values.ports.http }}
      targetPort: http
      {{- with .Values.service.nodePort }}
      nodePort: {{ . }}
      {{- end }}
{{- end }}

{{/* Objects of the user's own; a text is a template. */}}
{{- define "signalink-lib.extraObjects" -}}
{{- range .Values.extraObjects }}
---
{{ if kindIs "string" . }}{{ tpl . $ }}{{ else }}{{ toYaml . }}{{ end }}
{{- end }}
{{- end }}

{{- define "signalink-lib.faultsConfig" -}}
{{- if .Values.faults.points -}}
apiVersion: v1
kind: ConfigMap
metadata:
  {{- include "signalink-lib.metadata" (list . "" "-faults") | nindent 2 }}
data:
  faults.json: {{ .Values.faults.points | toJson | quote }}
{{- end }}
{{- end }}
