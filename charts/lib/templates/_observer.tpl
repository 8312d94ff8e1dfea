{{/* One pod that watches. What differs stands in files/service.yaml: ports, paths, arguments. */}}
{{- define "signalink-lib.observer" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $name := include "signalink-lib.name" . -}}
{{- $probe := $s.probe | default (include "signalink-lib.observerPort" .) -}}
{{- $persistence := .Values.persistence | default dict -}}
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
          {{- with $s.command }}
          command: {{ toJson . }}
          {{- end }}
          args:
            {{- range $s.args }}
            - {{ tpl . $ }}
            {{- end }}
          ports:
            - name: {{ include "signalink-lib.observerPort" . | quote }}
              containerPort: {{ $s.port }}
            {{- range $port, $number := $s.ports }}
            - name: {{ $port | quote }}
              containerPort: {{ $number }}
            {{- end }}
          {{- with include "signalink-lib.env.extra" (list . list) | trim }}
          env:
            {{- . | nindent 12 }}
          {{- end }}
          startupProbe:
            httpGet: {path: {{ $s.ready }}, port: {{ $probe }}}
            periodSeconds: 2
            timeoutSeconds: 2
            failureThreshold: 60
          readinessProbe:
            httpGet: {path: {{ $s.ready }}, port: {{ $probe }}}
            periodSeconds: 5
            timeoutSeconds: 3
          livenessProbe:
            {{- if $s.live }}
            httpGet: {path: {{ $s.live }}, port: {{ $probe }}}
            {{- else }}
            tcpSocket: {port: {{ include "signalink-lib.observerPort" . }}}
            {{- end }}
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
            {{- if $persistence }}
            - name: data
              mountPath: /data
            {{- end }}
            - name: configuration
              mountPath: /etc/signalink
              readOnly: true
            {{- range $folder, $path := $s.folders }}
            - name: {{ $folder | quote }}
              mountPath: {{ $path }}
              readOnly: true
            {{- end }}
            {{- if $s.keys }}
            - name: secrets
              mountPath: /run/secrets/signalink
              readOnly: true
            {{- end }}
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
            sizeLimit: {{ .Values.tmp.sizeLimit | quote }}
        - name: configuration
          configMap:
            name: {{ include "signalink-lib.fullname" . | quote }}
            {{- with $s.files }}
            items:
              {{- range $key, $path := . }}
              - key: {{ $key | quote }}
                path: {{ $path | quote }}
              {{- end }}
            {{- end }}
        {{- range $folder, $_ := $s.folders }}
        - name: {{ $folder | quote }}
          configMap:
            name: {{ include "signalink-lib.fullname" $ }}-{{ $folder }}
        {{- end }}
        {{- with $s.keys }}
        {{- include "signalink-lib.authVolume" (list $ .) | nindent 8 }}
        {{- end }}
        {{- if $s.kubernetes }}
        {{- include "signalink-lib.kubeToken" . | nindent 8 }}
        {{- end }}
        {{- if and $persistence (not $persistence.enabled) }}
        - name: data
          emptyDir:
            sizeLimit: {{ $persistence.size | quote }}
        {{- end }}
        {{- with .Values.extraVolumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  {{- if $persistence }}
  {{- include "signalink-lib.claims" . | nindent 2 }}
  {{- end }}
{{- end }}

{{/* Name of its main port; a port name has at most 15 characters. */}}
{{- define "signalink-lib.observerPort" -}}
{{ include "signalink-lib.name" . | trunc 15 | trimSuffix "-" }}
{{- end }}

{{- define "signalink-lib.observerServices" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{ include "signalink-lib.backingServices" (list . $s.port $s.serves) }}
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
      app.kubernetes.io/name: {{ include "signalink-lib.name" . | quote }}
      app.kubernetes.io/instance: {{ .Release.Name | quote }}
  policyTypes: [Ingress, Egress]
  ingress:
    {{- $signalink := dict "podSelector" (dict "matchLabels" (dict "app.kubernetes.io/part-of" "signalink" "app.kubernetes.io/instance" .Release.Name)) }}
    - from:
        {{- if $s.open }}
        {{- list $signalink | toYaml | nindent 8 }}
        {{- end }}
        - podSelector:
            matchLabels:
              {{- include "signalink-lib.selector" (list . (printf "%s-test" (include "signalink-lib.name" .))) | nindent 14 }}
        {{- range $s.neededBy }}
        {{- include "signalink-lib.podPeer" (list $ .) | nindent 8 }}
        {{- end }}
        {{- with .Values.networkPolicy.clientsFrom }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - port: {{ $s.port }}
        {{- range $s.serves }}
        - port: {{ . }}
        {{- end }}
    {{- with $s.ports }}
    {{- with .metrics }}
    - from:
        {{- include "signalink-lib.podPeer" (list $ "prometheus") | nindent 8 }}
      ports:
        - port: {{ . }}
    {{- end }}
    {{- end }}
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
    {{- if .Values.promises.enabled }}
    - to:
        {{- include "signalink-lib.podPeer" (list $ (include "signalink-lib.name" .)) | nindent 8 }}
      ports:
        - port: {{ $s.port }}
        {{- range $s.serves }}
        - port: {{ . }}
        {{- end }}
    {{- end }}
    {{- range $s.reaches }}
    - to:
        {{- include "signalink-lib.podPeer" (list $ .chart) | nindent 8 }}
      ports:
        - port: {{ .port }}
    {{- end }}
    {{- with include "signalink-lib.outwardPorts" . | fromYamlArray }}
    - to:
        - namespaceSelector: {}
        {{- range list "0.0.0.0/0" "::/0" }}
        - ipBlock:
            cidr: {{ . | quote }}
        {{- end }}
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

{{/* Ports of what values point it to outside the release, as a YAML list; links in texts of a receiver are nothing it goes to. */}}
{{- define "signalink-lib.outwardPorts" -}}
{{- $urls := compact (list .Values.prometheusUrl .Values.jaegerUrl) -}}
{{- $addresses := concat (.Values.alertmanagers | default list) (compact (list .Values.tracesTo)) -}}
{{- $ports := list -}}
{{- range $receiver := .Values.receivers -}}
{{- range $kind, $configs := omit $receiver "name" -}}
{{- /* All but mail and webhooks speak to a service by https, also when no address is given. */ -}}
{{- if not (has $kind (list "email_configs" "webhook_configs")) }}{{ $ports = append $ports 443 }}{{ end -}}
{{- range $config := $configs -}}
{{- $http := $config.http_config | default dict -}}
{{- $urls = concat $urls (values (pick $config "api_url" "webhook_url")) (values (pick $http "proxy_url")) (values (pick ($http.oauth2 | default dict) "token_url" "proxy_url")) -}}
{{- if ne $kind "pushover_configs" }}{{ $urls = concat $urls (values (pick $config "url")) }}{{ end -}}
{{- $addresses = concat $addresses (values (pick $config "smarthost")) -}}
{{- if $config.url_file }}{{ $ports = append $ports 443 }}{{ end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $addresses -}}
{{- $ports = append $ports (splitList ":" . | last | int) -}}
{{- end -}}
{{- range $urls -}}
{{- $ports = append $ports (regexFind "^[a-z]+://[^/?#]+" . | regexFind ":[0-9]+$" | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https" .)) | int) -}}
{{- end -}}
{{- $ports | uniq | toYaml -}}
{{- end }}

{{- define "signalink-lib.observerAddress" -}}
{{- $port := (include "signalink-lib.service" . | fromYaml).port -}}
Address: http://localhost:{{ $port }} after
  kubectl --namespace {{ .Release.Namespace }} port-forward service/{{ include "signalink-lib.fullname" . }} {{ $port }}
{{- end }}

{{- define "signalink-lib.observerNotes" -}}
{{ .Chart.Name }} {{ .Chart.AppVersion }} is release {{ .Release.Name }} in namespace {{ .Release.Namespace }}.

{{ include "signalink-lib.observerAddress" . }}

Release test: helm --namespace {{ .Release.Namespace }} test {{ .Release.Name }}
{{- end }}
