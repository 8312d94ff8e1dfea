{{/* Volumes of a service's pod: /tmp, its secrets as one projected folder, the signing keys, faults, the operator's token. */}}
{{- define "signalink-lib.volumes" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.tmp.sizeLimit | quote }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- include "signalink-lib.secretSources" . | nindent 6 }}
{{- if has "auth-keys" $s.secrets }}
- name: auth-keys
  secret:
    secretName: {{ include "signalink-lib.authKeysName" . | quote }}
    defaultMode: 0440
{{- end }}
{{- if .Values.faults.points }}
- name: faults
  configMap:
    name: {{ include "signalink-lib.fullname" . }}-faults
{{- end }}
{{- if has "kubernetes" $s.needs }}
{{ include "signalink-lib.kubeToken" . }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "signalink-lib.volumeMounts" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
- name: tmp
  mountPath: /tmp
- name: secrets
  mountPath: /run/secrets/signalink
  readOnly: true
{{- if has "auth-keys" $s.secrets }}
- name: auth-keys
  mountPath: /run/secrets/signalink-auth-keys
  readOnly: true
{{- end }}
{{- if .Values.faults.points }}
- name: faults
  mountPath: /etc/signalink/faults
  readOnly: true
{{- end }}
{{- if has "kubernetes" $s.needs }}
- name: kube-token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* One source per Secret: the service's own, then one key of each backing service's. */}}
{{- define "signalink-lib.secretSources" -}}
{{- $top := . -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
- secret:
    name: {{ include "signalink-lib.secretName" . | quote }}
    items:
{{- range include "signalink-lib.ownSecrets" . | fromYamlArray }}
      - key: {{ . | quote }}
        path: {{ . | quote }}
{{- end }}
{{- with include "signalink-lib.apiTokenSecret" . }}
- secret:
    name: {{ . | quote }}
    items:
      - key: {{ include "signalink-lib.tokenKey" $top | quote }}
        path: operator-api-token
{{- end }}
{{- range $need, $chart := dict "postgres" "postgres" "redis" "valkey" "kafka" "kafka" }}
{{- if has $need $s.needs }}
{{- $binding := include "signalink-lib.binding" (list $top $need) | fromYaml }}
{{- $words := ternary (hasPrefix "sasl" ($binding.security | default "")) (ne ($binding.auth | default "") "iam") (eq $need "kafka") }}
{{- if $words }}
{{ include "signalink-lib.secretSource" (list $top $binding.passwordSecret $chart (printf "%s-%s" $need $s.name)) }}
{{- end }}
{{- include "signalink-lib.caSource" (list $top $need) }}
{{- end }}
{{- end }}
{{- end }}

{{/* (list . passwordSecret chart file): one key of a Secret under the name of the file. */}}
{{- define "signalink-lib.secretSource" -}}
- secret:
    name: {{ include "signalink-lib.bindingSecret" . | quote }}
    items:
      - key: {{ (index . 1).key | default (index . 3) | quote }}
        path: {{ index . 3 | quote }}
{{- end }}

{{/* Certificates of a server's authority, in the same folder: (list . "postgres") */}}
{{- define "signalink-lib.caSource" -}}
{{- $binding := include "signalink-lib.binding" . | fromYaml -}}
{{- if $binding.caConfigMap.name }}
- configMap:
    name: {{ $binding.caConfigMap.name | quote }}
    items:
      - key: {{ $binding.caConfigMap.key | quote }}
        path: {{ index . 1 }}-ca.pem
{{- end }}
{{- end }}

{{/* What signs in to Postgres as the owner of the schemas, by default from the Secret that has the others' words: (list . passwordSecret) */}}
{{- define "signalink-lib.ownerSources" -}}
{{- $top := index . 0 -}}
{{- $binding := include "signalink-lib.binding" (list $top "postgres") | fromYaml -}}
{{- if ne $binding.auth "iam" }}
{{- $secret := dict "name" ((index . 1).name | default $binding.passwordSecret.name) "key" (index . 1).key }}
{{ include "signalink-lib.secretSource" (list $top $secret "postgres" "postgres-owner") }}
{{- end }}
{{- include "signalink-lib.caSource" (list $top "postgres") }}
{{- end }}

{{/* The token of the service account as a volume, for the few that speak to the Kubernetes API. */}}
{{- define "signalink-lib.kubeToken" -}}
- name: kube-token
  projected:
    defaultMode: 0440
    sources:
      - serviceAccountToken:
          path: token
          expirationSeconds: 3607
      - configMap:
          name: kube-root-ca.crt
          items:
            - key: ca.crt
              path: ca.crt
      - downwardAPI:
          items:
            - path: namespace
              fieldRef:
                fieldPath: metadata.namespace
{{- end }}
