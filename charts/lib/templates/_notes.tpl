{{- define "signalink-lib.notes" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $name := include "signalink-lib.fullname" . -}}
{{ .Chart.Name }} {{ .Chart.AppVersion }} is release {{ .Release.Name }} in namespace {{ .Release.Namespace }}.
{{- if (.Values.ports.http) }}
{{- if ne .Values.ingress.mode "none" }}

Address: {{ if .Values.ingress.tlsSecret }}https{{ else }}http{{ end }}://{{ .Values.ingress.host }}{{ .Values.ingress.path }}
{{- else }}

Address: {{ index .Values.global.publicUrls $s.name | default (printf "http://localhost:%d" (int .Values.ports.http)) }} after
  kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ $name }} {{ .Values.ports.http }}
{{- end }}
{{- end }}

Watch it start:
  kubectl --namespace {{ .Release.Namespace }} rollout status deployment/{{ $name }}

See it keep its promises:
  helm --namespace {{ .Release.Namespace }} test {{ .Release.Name }}
{{- if has "kubernetes" $s.needs }}

Helm never upgrades custom resource definitions. Before an upgrade:
  kubectl apply --server-side -f crds/
{{- end }}
{{- if .Values.faults.enabled }}

WARNING: faults are on. This service can be made to fail through /faults of its metrics port.
{{- end }}
{{- end }}
