{{/* How people reach a service, and what still stands in their way. */}}
{{- define "signalink-lib.address" -}}
{{- $name := include "signalink-lib.fullname" . -}}
{{- $service := .Values.service -}}
{{- $url := index .Values.global.publicUrls (include "signalink-lib.service" . | fromYaml).name | default (printf "http://localhost:%d" (int .Values.ports.http)) -}}
{{- if ne .Values.ingress.mode "none" -}}
{{- include "signalink-lib.wayIn" . }}
{{- else if ne $service.type "ClusterIP" -}}
Address: {{ $url }} is what people are told; the port that leads there:
  kubectl --namespace {{ .Release.Namespace }} get service {{ $name }}-public
{{- else -}}
Address: {{ $url }} after
  kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ $name }} {{ .Values.ports.http }}
{{- end }}
{{- if and (ne $service.type "ClusterIP") .Values.networkPolicy.enabled (not (contains "ipBlock" (toJson .Values.networkPolicy.httpFrom))) }}

WARNING: nobody comes in by {{ $service.type }} where policies are enforced, for who does is no pod and has the address of
{{ if eq $service.externalTrafficPolicy "Local" }}their own machine{{ else }}a node{{ end }}. Let them in by values of the chart {{ .Chart.Name }}:
  networkPolicy:
    httpFrom:
      - namespaceSelector: {}
      - ipBlock: {cidr: ADDRESSES/BITS}
{{- end }}
{{- end }}

{{/* The address that an Ingress or a route leads to, and a warning where global.publicUrls tells people another one. */}}
{{- define "signalink-lib.wayIn" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $in := .Values.ingress -}}
{{- $own := dict "scheme" "http" "path" "" -}}
{{- range $s.peers }}{{ if eq .name $s.name }}{{ $own = . }}{{ end }}{{ end -}}
{{- $secure := and (eq $in.mode "ingress") (ne $in.tlsSecret "") -}}
{{- $url := printf "%s%s://%s%s" $own.scheme (ternary "s" "" $secure) $in.host $own.path -}}
{{- $told := index .Values.global.publicUrls $s.name | default "" -}}
{{- $same := and (eq (urlParse $told).hostname $in.host) (or (not $secure) (hasPrefix (printf "%ss:" $own.scheme) $told)) -}}
Address: {{ ternary $told $url $same }}{{ if not $own.path }}{{ $in.path }}{{ end }}
{{- if and $told (not $same) }}

WARNING: global.publicUrls.{{ $s.name }} is {{ $told }}, which is not where this leads. The page is told that address
{{- if eq $s.name "api" }}, and only a page that
was opened there may open sockets{{ end }}. Say where people go:
  global:
    publicUrls:
      {{ $s.name }}: {{ $url }}
{{- end }}
{{- end }}

{{/* Whose resources the operator looks after, and what becomes of the others'. */}}
{{- define "signalink-lib.watchNotes" -}}
{{- with include "signalink-lib.watched" . -}}
The operator looks after Topics and Channels of: {{ splitList "," . | join ", " }}
Those of other namespaces stay as they are: nobody renews them, and nobody lets them go when they are deleted. To have
more looked after, name the namespaces in watchNamespaces of the chart operator; ['*'] is all of the cluster.
{{- else -}}
The operator looks after Topics and Channels of all namespaces: let no other operator of Signalink do so in this cluster.
{{- end }}
{{- end }}

{{- define "signalink-lib.notes" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $name := include "signalink-lib.fullname" . -}}
{{ .Chart.Name }} {{ .Chart.AppVersion }} is release {{ .Release.Name }} in namespace {{ .Release.Namespace }}.
{{- if .Values.ports.http }}

{{ include "signalink-lib.address" . }}
{{- end }}

Watch it start:
  kubectl --namespace {{ .Release.Namespace }} rollout status deployment/{{ $name }}

See it keep its promises:
  helm --namespace {{ .Release.Namespace }} test {{ .Release.Name }}
{{- if has "kubernetes" $s.needs }}

{{ include "signalink-lib.watchNotes" . }}

Helm never upgrades custom resource definitions. Before an upgrade:
  kubectl apply --server-side --force-conflicts -f crds/
{{- end }}
{{- if .Values.faults.enabled }}

WARNING: faults are on. This service can be made to fail through /faults of its metrics port.
{{- end }}
{{- end }}
