{{/* Default deny in both directions for every pod of the chart; open are DNS, what it needs, and who needs it. */}}
{{- define "signalink-lib.networkPolicy" -}}
{{- if .Values.networkPolicy.enabled -}}
{{- $top := . -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "signalink-lib.name" . | quote }}
      app.kubernetes.io/instance: {{ .Release.Name | quote }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- include "signalink-lib.ingressRules" . | nindent 4 }}
  egress:
    {{- include "signalink-lib.dnsRule" . | nindent 4 }}
    {{- range $need := $s.needs }}
    {{- include "signalink-lib.egressTo" (list $top $need) | nindent 4 }}
    {{- end }}
    {{- if include "signalink-lib.apiTokenSecret" . }}
    {{- include "signalink-lib.egressTo" (list . "api") | nindent 4 }}
    {{- end }}
    {{- if (.Values.promises | default dict).enabled }}
    - to:
        - podSelector:
            matchLabels:
              {{- include "signalink-lib.selector" (list . (include "signalink-lib.name" .)) | nindent 14 }}
      ports:
        {{- range $port := values (pick .Values.ports "http" "metrics") | sortAlpha }}
        - port: {{ $port }}
        {{- end }}
    {{- end }}
    {{- include "signalink-lib.internetRule" . | nindent 4 }}
    {{- with .Values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}

{{/* The way out of a service that has business outside; a rule of its own, so that a list of further rules takes nothing away. */}}
{{- define "signalink-lib.internetRule" -}}
{{- $internet := .Values.internet | default dict -}}
{{- if $internet.enabled -}}
- to:
    - ipBlock:
        cidr: 0.0.0.0/0
        {{- with $internet.except }}
        except:
          {{- toYaml . | nindent 10 }}
        {{- end }}
  ports:
    {{- range $internet.ports }}
    - port: {{ . }}
    {{- end }}
{{- end }}
{{- end }}

{{- define "signalink-lib.dnsRule" -}}
- to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: {{ .Values.networkPolicy.dns.namespace | quote }}
      podSelector:
        matchLabels:
          {{- toYaml .Values.networkPolicy.dns.podLabels | nindent 10 }}
  ports:
    - port: 53
      protocol: UDP
    - port: 53
      protocol: TCP
{{- end }}

{{- define "signalink-lib.ingressRules" -}}
{{- $top := . -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
- from:
    - podSelector:
        matchLabels:
          {{- include "signalink-lib.selector" (list . (printf "%s-test" (include "signalink-lib.name" .))) | nindent 10 }}
    {{- with .Values.networkPolicy.metricsFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - port: {{ .Values.ports.metrics }}
{{- with .Values.ports.http }}
- from:
    - podSelector:
        matchLabels:
          app.kubernetes.io/instance: {{ $top.Release.Name | quote }}
          signalink.dev/promise: "on"
    {{- range $s.neededBy }}
    {{- include "signalink-lib.podPeer" (list $top .) | nindent 4 }}
    {{- end }}
    {{- with $top.Values.networkPolicy.httpFrom }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  ports:
    - port: {{ . }}
{{- end }}
{{- with .Values.networkPolicy.extraIngress }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Every pod of another chart of this release: (list . "relay") */}}
{{- define "signalink-lib.podPeer" -}}
- podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ index . 1 | quote }}
      app.kubernetes.io/instance: {{ (index . 0).Release.Name | quote }}
{{- end }}

{{/* One rule per need: a chart's pods, or an address outside on its port alone. */}}
{{- define "signalink-lib.egressTo" -}}
{{- $top := index . 0 -}}
{{- $need := index . 1 -}}
{{- $charts := dict "postgres" "postgres" "redis" "valkey" "kafka" "kafka" -}}
{{- if hasKey $charts $need -}}
{{- $binding := include "signalink-lib.binding" (list $top $need) | fromYaml -}}
{{- $ports := list ($binding.port | default 9092) -}}
{{- range $binding.brokers }}{{ $ports = append $ports (splitList ":" . | last | int) }}{{ end -}}
{{- if $binding.brokers }}{{ $ports = rest $ports | uniq }}{{ end -}}
- to:
    {{- if eq $binding.provider "chart" }}
    {{- include "signalink-lib.podPeer" (list $top (index $charts $need)) | nindent 4 }}
    {{- else if and (eq $binding.provider "operator") (not $binding.cidrs) }}
    - namespaceSelector: {}
    {{- else }}
    {{- range $binding.cidrs | default (list "0.0.0.0/0" "::/0") }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
    {{- end }}
  ports:
    {{- range $ports }}
    - port: {{ . }}
    {{- end }}
{{- else if eq $need "kubernetes" -}}
- to:
    {{- range $top.Values.global.kubernetesCidrs }}
    - ipBlock:
        cidr: {{ . | quote }}
    {{- end }}
  ports:
    - port: 443
    - port: 6443
{{- else if hasKey $top.Values.global.serviceUrls $need -}}
- to:
    - namespaceSelector: {}
  ports:
    - port: {{ index $top.Values.global.serviceUrls $need | splitList "/" | rest | rest | first | splitList ":" | last | int }}
{{- else -}}
- to:
    {{- include "signalink-lib.podPeer" (list $top $need) | nindent 4 }}
  ports:
    {{- range $peer := (include "signalink-lib.service" $top | fromYaml).peers }}
    {{- if eq $peer.name $need }}
    - port: {{ $peer.port }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{/* Of a backing service: only Signalink's own parts that need it come in, nothing but DNS goes out. (list . port) */}}
{{- define "signalink-lib.backingPolicy" -}}
{{- $top := index . 0 -}}
{{- $s := include "signalink-lib.service" $top | fromYaml -}}
{{- if $top.Values.networkPolicy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "signalink-lib.metadata" (list $top) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "signalink-lib.name" $top | quote }}
      app.kubernetes.io/instance: {{ $top.Release.Name | quote }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        {{- range concat $s.neededBy (list (include "signalink-lib.name" $top)) }}
        {{- include "signalink-lib.podPeer" (list $top .) | nindent 8 }}
        {{- end }}
        {{- with $top.Values.networkPolicy.clientsFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - port: {{ index . 1 }}
    {{- if $top.Values.exporter.enabled }}
    - from:
        {{- include "signalink-lib.podPeer" (list $top "prometheus") | nindent 8 }}
      ports:
        - port: {{ $s.metrics }}
    {{- end }}
    {{- with $top.Values.networkPolicy.extraIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  egress:
    {{- include "signalink-lib.dnsRule" $top | nindent 4 }}
    - to:
        {{- include "signalink-lib.podPeer" (list $top (include "signalink-lib.name" $top)) | nindent 8 }}
      ports:
        {{- range rest . }}
        - port: {{ . }}
        {{- end }}
    {{- with $top.Values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}
