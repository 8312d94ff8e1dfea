{{/* Tokens that services of a release need of the api: a Secret each, and a Job that fills it, at once and again each day. */}}
{{- define "signalink-lib.serviceTokens" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $component := printf "%s-tokens" (include "signalink-lib.name" .) -}}
{{- if and .Values.global.serviceTokens $s.tokens -}}
{{- range $s.tokens }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ include "signalink-lib.tokenSecret" (list $ .) | quote }}
  namespace: {{ $.Release.Namespace | quote }}
  labels:
    {{- include "signalink-lib.labels" (list $ $component) | nindent 4 }}
type: Opaque
{{- end }}
---
{{ include "signalink-lib.tokenRights" (list . $component $s.tokens) }}
---
{{- $spec := include "signalink-lib.tokenSpec" (list . $component $s) }}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "signalink-lib.metadata" (list . $component (printf "-tokens-%s" ($spec | sha256sum | trunc 8))) | nindent 2 }}
spec:
  {{- if not .Values.global.keepJobs }}
  ttlSecondsAfterFinished: 86400
  {{- end }}
  {{- $spec | nindent 2 }}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  {{- include "signalink-lib.metadata" (list . $component "-tokens") | nindent 2 }}
spec:
  schedule: {{ .Values.serviceTokens.schedule | quote }}
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 1
  failedJobsHistoryLimit: 1
  jobTemplate:
    metadata:
      labels:
        {{- include "signalink-lib.labels" (list . $component) | nindent 8 }}
    spec:
      {{- $spec | nindent 6 }}
{{- end }}
{{- end }}

{{/* Name of the Secret with a service's token: (list . "operator") */}}
{{- define "signalink-lib.tokenSecret" -}}
{{ include "signalink-lib.peer" . }}-api-token
{{- end }}

{{/* Where the operator's token is: its own Secret, else the one that the api's chart fills; empty: nowhere. */}}
{{- define "signalink-lib.apiTokenSecret" -}}
{{- with .Values.apiToken -}}
{{- .existingSecret | default (ternary (include "signalink-lib.tokenSecret" (list $ "operator")) "" $.Values.global.serviceTokens) -}}
{{- end -}}
{{- end }}

{{- define "signalink-lib.tokenKey" -}}
{{ ternary .Values.apiToken.key "operator-api-token" (ne .Values.apiToken.existingSecret "") }}
{{- end }}

{{/* An account that may read and change these Secrets and no other, and the way to the API server: (list . component tokens) */}}
{{- define "signalink-lib.tokenRights" -}}
{{- $top := index . 0 -}}
{{- $component := index . 1 -}}
{{- if $top.Values.serviceAccount.create -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-tokens") | nindent 2 }}
automountServiceAccountToken: false
---
{{- end }}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-tokens") | nindent 2 }}
rules:
  - apiGroups: [""]
    resources: [secrets]
    resourceNames:
      {{- range index . 2 }}
      - {{ include "signalink-lib.tokenSecret" (list $top .) }}
      {{- end }}
    verbs: [get, patch]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-tokens") | nindent 2 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "signalink-lib.fullname" $top }}-tokens
subjects:
  - kind: ServiceAccount
    name: {{ include "signalink-lib.tokenAccount" $top | quote }}
    namespace: {{ $top.Release.Namespace | quote }}
{{- if $top.Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-tokens") | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      {{- include "signalink-lib.selector" (list $top $component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  egress:
    {{- include "signalink-lib.dnsRule" $top | nindent 4 }}
    {{- include "signalink-lib.egressTo" (list $top "kubernetes") | nindent 4 }}
{{- end }}
{{- end }}

{{- define "signalink-lib.tokenAccount" -}}
{{ ternary (printf "%s-tokens" (include "signalink-lib.fullname" .)) (include "signalink-lib.serviceAccountName" .) .Values.serviceAccount.create }}
{{- end }}

{{/* Spec of the Job: (list . component service) */}}
{{- define "signalink-lib.tokenSpec" -}}
{{- $top := index . 0 -}}
{{- $s := index . 2 -}}
{{- $t := $top.Values.serviceTokens -}}
{{- $m := $top.Values.migrations -}}
{{- $pod := include "signalink-lib.pod" $top | fromYaml -}}
backoffLimit: {{ $m.backoffLimit }}
activeDeadlineSeconds: {{ $m.activeDeadlineSeconds }}
template:
  metadata:
    labels:
      {{- include "signalink-lib.selector" (list $top (index . 1)) | nindent 6 }}
      app.kubernetes.io/part-of: signalink
  spec:
    {{- set $pod "serviceAccountName" (include "signalink-lib.tokenAccount" $top) | toYaml | nindent 4 }}
    restartPolicy: OnFailure
    initContainers:
      {{- include "signalink-lib.migrationContainer" (list $top "wait-for-schema" (list "wait" (printf "--timeout=%d" (int $top.Values.waitForSchema.timeoutSeconds))) $s.schemas) | nindent 6 }}
    containers:
      {{- range $s.tokens }}
      - name: {{ . }}-token
        {{- include "signalink-lib.containerImage" (list $top $top.Values.image) | nindent 8 }}
        command: [python, -m, signalink_api.cluster_tokens]
        args:
          - --service={{ . }}
          - --secret={{ include "signalink-lib.tokenSecret" (list $top .) }}
          - --key={{ . }}-api-token
          - --days={{ $t.days }}
          - --rotation={{ $t.rotation }}
        env:
          {{- include "signalink-lib.env.postgres" (list $top "owner" $m.database.user) | nindent 10 }}
          - name: SIGNALINK_AUTH_KEYS_DIR
            value: /run/secrets/signalink-auth-keys
          {{- with index $top.Values.settings "AUTH_ISSUER" }}
          - name: SIGNALINK_AUTH_ISSUER
            value: {{ . | quote }}
          {{- end }}
        {{- include "signalink-lib.resources" $t.resources | nindent 8 }}
        {{- include "signalink-lib.securityContext" $top | nindent 8 }}
        volumeMounts:
          - name: tmp
            mountPath: /tmp
          - name: secrets
            mountPath: /run/secrets/signalink
            readOnly: true
          - name: auth-keys
            mountPath: /run/secrets/signalink-auth-keys
            readOnly: true
          - name: kube-token
            mountPath: /var/run/secrets/kubernetes.io/serviceaccount
            readOnly: true
      {{- end }}
    volumes:
      - name: tmp
        emptyDir:
          sizeLimit: {{ $top.Values.tmp.sizeLimit | quote }}
      - name: secrets
        projected:
          defaultMode: 0440
          sources:
            {{- include "signalink-lib.ownerSources" (list $top $m.database.passwordSecret) | trim | default "[]" | nindent 12 }}
      - name: auth-keys
        secret:
          secretName: {{ include "signalink-lib.authKeysName" $top | quote }}
          defaultMode: 0440
      {{- include "signalink-lib.kubeToken" $top | nindent 6 }}
{{- end }}
