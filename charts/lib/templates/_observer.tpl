{{/* One pod that watches: Prometheus, Alertmanager. What differs stands in files/service.yaml: port, paths, arguments. */}}
{{- define "signalink-lib.observer" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $name := include "signalink-lib.name" . -}}
apiVersion: apps/v1
kind: StatefulSet
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
spec:
  {{- include "signalink-lib.statefulSetHead" . | nindent 2 }}
  template:
    metadata:
      {{- include "signalink-lib.podMetadata" . | nindent 6 }}
    spec:
      {{- include "signalink-lib.pod" . | nindent 6 }}
      {{- include "signalink-lib.spread" (list . $name) | nindent 6 }}
      terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
      containers:
        - name: {{ $s.name }}
          {{- include "signalink-lib.containerImage" (list . .Values.image) | nindent 10 }}
          args:
            {{- range $s.args }}
            - {{ tpl . $ }}
            {{- end }}
          ports:
            - name: {{ $name }}
              containerPort: {{ $s.port }}
          {{- with .Values.extraEnv }}
          env:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          startupProbe:
            httpGet: {path: {{ $s.ready }}, port: {{ $name }}}
            periodSeconds: 2
            timeoutSeconds: 2
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: {{ $s.ready }}, port: {{ $name }}}
            periodSeconds: 5
            timeoutSeconds: 3
          livenessProbe:
            httpGet: {path: {{ $s.live }}, port: {{ $name }}}
            periodSeconds: 10
            timeoutSeconds: 5
            failureThreshold: 3
          lifecycle:
            preStop:
              sleep:
                seconds: 2
          {{- include "signalink-lib.resources" .Values.resources | nindent 10 }}
          {{- include "signalink-lib.securityContext" . | nindent 10 }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
            - name: data
              mountPath: /data
            - name: configuration
              mountPath: /etc/signalink
              readOnly: true
            {{- if $s.kubernetes }}
            - name: kube-token
              mountPath: /var/run/secrets/kubernetes.io/serviceaccount
              readOnly: true
            {{- end }}
            {{- with .Values.extraVolumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
      volumes:
        - name: tmp
          emptyDir:
            sizeLimit: {{ .Values.tmp.sizeLimit }}
        - name: configuration
          configMap:
            name: {{ include "signalink-lib.fullname" . }}
        {{- if $s.kubernetes }}
        {{- include "signalink-lib.kubeToken" . | nindent 8 }}
        {{- end }}
        {{- if not .Values.persistence.enabled }}
        - name: data
          emptyDir:
            sizeLimit: {{ .Values.persistence.size }}
        {{- end }}
        {{- with .Values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- include "signalink-lib.claims" . | nindent 2 }}
{{- end }}

{{- define "signalink-lib.observerPolicy" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- if .Values.networkPolicy.enabled -}}
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "signalink-lib.metadata" (list .) | nindent 2 }}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: {{ include "signalink-lib.name" . }}
      app.kubernetes.io/instance: {{ .Release.Name }}
  policyTypes: [Ingress, Egress]
  ingress:
    - from:
        {{- range $s.neededBy }}
        {{- include "signalink-lib.podPeer" (list $ .) | nindent 8 }}
        {{- end }}
        {{- with .Values.networkPolicy.clientsFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - port: {{ $s.port }}
    {{- with .Values.networkPolicy.extraIngress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  egress:
    {{- include "signalink-lib.dnsRule" . | nindent 4 }}
    {{- with $s.scrapes }}
    - to:
        - podSelector:
            matchLabels:
              app.kubernetes.io/part-of: signalink
      ports:
        {{- range . }}
        - port: {{ . }}
        {{- end }}
    {{- end }}
    {{- if $s.kubernetes }}
    {{- include "signalink-lib.egressTo" (list . "kubernetes") | nindent 4 }}
    {{- end }}
    {{- with .Values.networkPolicy.extraEgress }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}
{{- end }}

{{- define "signalink-lib.observerNotes" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $name := include "signalink-lib.fullname" . -}}
{{ .Chart.Name }} {{ .Chart.AppVersion }} is release {{ .Release.Name }} in namespace {{ .Release.Namespace }}.

Address: http://localhost:{{ $s.port }} after
  kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ $name }} {{ $s.port }}

Release test: helm --namespace {{ .Release.Namespace }} test {{ .Release.Name }}
{{- end }}
