{{/* Nothing, an Ingress or an HTTPRoute, by ingress.mode. */}}
{{- define "signalink-lib.ingress" -}}
{{- $in := .Values.ingress -}}
{{- if eq $in.mode "ingress" -}}
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
  {{- with $in.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $in.className }}
  ingressClassName: {{ . | quote }}
  {{- end }}
  {{- with $in.tlsSecret }}
  tls:
    - hosts: [{{ $in.host | quote }}]
      secretName: {{ . | quote }}
  {{- end }}
  rules:
    - host: {{ $in.host | quote }}
      http:
        paths:
          - path: {{ $in.path | quote }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "signalink-lib.fullname" . | quote }}
                port:
                  name: http
{{- else if eq $in.mode "gateway" -}}
{{- if not (include "signalink-lib.hasApi" (list . "gateway.networking.k8s.io/v1")) -}}
{{ fail "ingress.mode gateway: this cluster does not have gateway.networking.k8s.io/v1; install the Gateway API, or name it in global.apiVersions" }}
{{- end -}}
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
  {{- with $in.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  parentRefs:
    {{- toYaml $in.parentRefs | nindent 4 }}
  hostnames: [{{ $in.host | quote }}]
  rules:
    - matches:
        - path:
            type: PathPrefix
            value: {{ $in.path | quote }}
      backendRefs:
        - name: {{ include "signalink-lib.fullname" . | quote }}
          port: {{ .Values.ports.http }}
{{- end }}
{{- end }}
