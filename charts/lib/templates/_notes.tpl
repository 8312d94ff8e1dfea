{{/* How people reach a service, and what still stands in their way. */}}
{{- define "signalink-lib.address" -}}
{{- $name := include "signalink-lib.fullname" . -}}
{{- $service := .Values.service -}}
{{- $url := index .Values.global.publicUrls (include "signalink-lib.service" . | fromYaml).name | default (printf "http://localhost:%d" (int .Values.ports.http)) -}}
{{- if ne .Values.ingress.mode "none" -}}
Address: {{ if .Values.ingress.tlsSecret }}https{{ else }}http{{ end }}://{{ .Values.ingress.host }}{{ .Values.ingress.path }}
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
