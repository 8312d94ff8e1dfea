{{/* Keys of the service's own Secret, as a YAML list. */}}
{{- define "signalink-lib.ownSecrets" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $keys := without ($s.secrets | default list) "auth-keys" | concat (list "inspect-token") -}}
{{- if .Values.faults.enabled }}{{ $keys = append $keys "faults-token" }}{{ end -}}
{{ toYaml $keys }}
{{- end }}

{{- define "signalink-lib.secretName" -}}
{{ .Values.secrets.existingSecret | default (printf "%s-secrets" (include "signalink-lib.fullname" .)) }}
{{- end }}

{{- define "signalink-lib.authKeysName" -}}
{{ .Values.authKeys.existingSecret | default (printf "%s-auth-keys" (include "signalink-lib.fullname" .)) }}
{{- end }}

{{/* The Secret of a source: (list . source name keys): nothing for an existing one, an ExternalSecret, or random words kept for ever. */}}
{{- define "signalink-lib.secretFrom" -}}
{{- $top := index . 0 -}}
{{- $source := index . 1 -}}
{{- $name := index . 2 -}}
{{- if $source.existingSecret -}}
{{- else if $source.externalSecret.enabled -}}
{{- if not (include "signalink-lib.hasApi" (list $top "external-secrets.io/v1")) -}}
{{ fail "externalSecret.enabled: this cluster does not have external-secrets.io/v1; install the External Secrets operator, or name it in global.apiVersions" }}
{{- end -}}
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata:
  name: {{ $name | quote }}
  namespace: {{ $top.Release.Namespace | quote }}
  labels:
    {{- include "signalink-lib.labels" (list $top (include "signalink-lib.name" $top)) | nindent 4 }}
spec:
  refreshInterval: {{ $source.externalSecret.refreshInterval | quote }}
  secretStoreRef:
    name: {{ $source.externalSecret.store.name | quote }}
    kind: {{ $source.externalSecret.store.kind | quote }}
  target:
    name: {{ $name | quote }}
  data:
{{- range index . 3 }}
    - secretKey: {{ . | quote }}
      remoteRef:
        key: {{ $source.externalSecret.remoteKey | quote }}
        property: {{ . | quote }}
{{- end }}
{{- else if $source.generate -}}
{{- $kept := (lookup "v1" "Secret" $top.Release.Namespace $name).data | default dict -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name | quote }}
  namespace: {{ $top.Release.Namespace | quote }}
  labels:
    {{- include "signalink-lib.labels" (list $top (include "signalink-lib.name" $top)) | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
type: Opaque
data:
{{- range $key := index . 3 }}
  {{ $key }}: {{ index $kept $key | default (randAlphaNum 43 | b64enc) }}
{{- end }}
{{- else -}}
{{ fail (printf "a secret source is missing for %s: set existingSecret, externalSecret.enabled or generate" $name) }}
{{- end -}}
{{- end }}

{{- define "signalink-lib.secret" -}}
{{ include "signalink-lib.secretFrom" (list . .Values.secrets (include "signalink-lib.secretName" .) (include "signalink-lib.ownSecrets" . | fromYamlArray)) }}
{{- if and (hasKey .Values "authKeys") (not .Values.authKeys.existingSecret) }}
---
{{ include "signalink-lib.authKeys" . }}
{{- end }}
{{- end }}

{{/* One signing key, made once. Its id sorts before every key that is added later, so that a later one signs. */}}
{{- define "signalink-lib.authKeys" -}}
{{- $name := include "signalink-lib.authKeysName" . -}}
apiVersion: v1
kind: Secret
metadata:
  name: {{ $name | quote }}
  namespace: {{ .Release.Namespace | quote }}
  labels:
    {{- include "signalink-lib.labels" (list . (include "signalink-lib.name" .)) | nindent 4 }}
  annotations:
    helm.sh/resource-policy: keep
type: Opaque
data:
{{- with (lookup "v1" "Secret" .Release.Namespace $name).data }}
  {{- toYaml . | nindent 2 }}
{{- else }}
{{- $key := genPrivateKey "ed25519" }}
  00{{ sha256sum $key | trunc 14 }}.pem: {{ $key | b64enc }}
{{- end }}
{{- end }}

{{/* Annotations that restart the pods when, and only when, what they are named after was changed in values. */}}
{{- define "signalink-lib.checksums" -}}
{{- $source := .Values.secrets | default .Values.auth | default .Values.rotation -}}
{{- $watching := pick .Values "route" "receivers" "scrapeInterval" "alertmanagers" "prometheusUrl" "jaegerUrl" "rootUrl" "anonymous" "dashboards" "tracesTo" "sampling" "retention" -}}
checksum/config: {{ list .Values.settings .Values.faults .Values.configuration $watching | toJson | sha256sum }}
checksum/secret: {{ list $source .Values.authKeys | toJson | sha256sum }}
{{- end }}
