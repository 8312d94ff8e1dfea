{{/* A Job of `helm test` that shows a promise of a service: (list . promise). */}}
{{- define "signalink-lib.promise" -}}
{{- $top := index . 0 -}}
{{- $promise := index . 1 -}}
{{- $s := include "signalink-lib.service" $top | fromYaml -}}
{{- $name := include "signalink-lib.fullname" $top -}}
{{- $env := dict "SIGNALINK_PROMISE_METRICS_URL" (printf "http://%s%s:%d" $name (ternary "-test" "" (eq $promise "watched")) (int $top.Values.ports.metrics)) -}}
{{- with $top.Values.ports.http }}{{ $_ := set $env "SIGNALINK_PROMISE_URL" (printf "http://%s:%d" $name (int .)) }}{{ end -}}
{{- range $peer := $s.peers -}}
{{- if or (has $peer.name (list "api" "gateway")) (and (eq $promise "round-trip") (eq $peer.name "analytics")) -}}
{{- $_ := set $env (printf "SIGNALINK_%s_URL" (upper $peer.name)) (include "signalink-lib.peerUrl" (list $top $peer)) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $env "SIGNALINK_WS_ORIGINS" ($top.Values.global.origins | default (list $top.Values.global.publicUrls.api) | join ",") -}}
{{- $kafka := has $promise (list "published" "round-trip") -}}
{{- if $kafka }}{{ $_ := merge $env (include "signalink-lib.promiseKafka" $top | fromYaml) }}{{ end -}}
{{- $kubernetes := eq $promise "managed" -}}
{{ include "signalink-lib.promiseJob" (dict "top" $top "promise" $promise "image" $top.Values.image "env" $env "kafka" $kafka "kubernetes" $kubernetes) }}
{{- end }}

{{/* Kafka for a promise: the prober's principal may read what is written. */}}
{{- define "signalink-lib.promiseKafka" -}}
{{- $binding := include "signalink-lib.binding" (list . "kafka") | fromYaml -}}
SIGNALINK_KAFKA_BOOTSTRAP: {{ include "signalink-lib.brokers" . | quote }}
SIGNALINK_KAFKA_SECURITY: {{ $binding.security }}
{{- if hasPrefix "sasl" $binding.security }}
SIGNALINK_KAFKA_USER: prober
SIGNALINK_KAFKA_PASSWORD_FILE: /run/secrets/signalink/kafka-prober
{{- end }}
{{- with $binding.awsRegion }}
SIGNALINK_KAFKA_AWS_REGION: {{ . }}
{{- end }}
{{- with .Values.global.topicPrefix }}
SIGNALINK_TOPIC_PREFIX: {{ . | quote }}
{{- end }}
{{- end }}

{{/* What promises need besides a Job, for as long as they run: the way to others, a name for the prober's pods, rights. */}}
{{- define "signalink-lib.promiseMeans" -}}
{{- if .Values.promises.enabled -}}
{{- $top := . -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $component := printf "%s-test" (include "signalink-lib.name" .) -}}
{{- $asks := dict "published" "api" "round-trip" "analytics" -}}
{{- range $promise := $s.promises }}
{{- if and (hasKey $asks $promise) $top.Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-test") | nindent 2 }}
  annotations:
    {{- include "signalink-lib.promiseMean" $top | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "signalink-lib.selector" (list $top $component) | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress: []
  egress:
    {{- include "signalink-lib.dnsRule" $top | nindent 4 }}
    {{- include "signalink-lib.egressTo" (list $top (index $asks $promise)) | nindent 4 }}
{{- end }}
{{- if eq $promise "watched" }}
---
apiVersion: v1
kind: Service
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-test") | nindent 2 }}
  annotations:
    {{- include "signalink-lib.promiseMean" $top | nindent 4 }}
spec:
  type: ClusterIP
  selector:
    {{- include "signalink-lib.selector" (list $top (include "signalink-lib.name" $top)) | nindent 4 }}
  ports:
    - name: metrics
      port: {{ $top.Values.ports.metrics }}
      targetPort: metrics
{{- end }}
{{- if and (eq $promise "managed") $top.Values.rbac.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-test") | nindent 2 }}
  annotations:
    {{- include "signalink-lib.promiseMean" $top | nindent 4 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-test") | nindent 2 }}
  annotations:
    {{- include "signalink-lib.promiseMean" $top | nindent 4 }}
rules:
  - apiGroups: [signalink.dev]
    resources: [topics]
    verbs: [create, get, delete]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  {{- include "signalink-lib.metadata" (list $top $component "-test") | nindent 2 }}
  annotations:
    {{- include "signalink-lib.promiseMean" $top | nindent 4 }}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: Role
  name: {{ include "signalink-lib.fullname" $top }}-test
subjects:
  - kind: ServiceAccount
    name: {{ include "signalink-lib.fullname" $top }}-test
    namespace: {{ $top.Release.Namespace | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Annotations of what is there only while promises are shown, before their Jobs. */}}
{{- define "signalink-lib.promiseMean" -}}
helm.sh/hook: test
helm.sh/hook-weight: "-5"
helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
{{- end }}

{{/* The Job: (dict "top" . "promise" name "image" image "env" map), optional "keys" of the chart's own Secret, "kafka", "kubernetes". */}}
{{- define "signalink-lib.promiseJob" -}}
{{- $top := .top -}}
{{- $p := $top.Values.promises -}}
{{- if $p.enabled -}}
{{- $component := printf "%s-test" (include "signalink-lib.name" $top) -}}
{{- $pod := include "signalink-lib.pod" $top | fromYaml -}}
{{- if and .kubernetes $top.Values.rbac.create }}{{ $_ := set $pod "serviceAccountName" (printf "%s-test" (include "signalink-lib.fullname" $top)) }}{{ end -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "signalink-lib.metadata" (list $top $component (printf "-test-%s" .promise)) | nindent 2 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
    helm.sh/hook-output-log-policy: hook-failed
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {{ $p.timeoutSeconds }}
  template:
    metadata:
      labels:
        {{- include "signalink-lib.selector" (list $top $component) | nindent 8 }}
        app.kubernetes.io/part-of: signalink
        signalink.dev/promise: "on"
    spec:
      {{- toYaml $pod | nindent 6 }}
      restartPolicy: Never
      containers:
        - name: promise
          {{- include "signalink-lib.containerImage" (list $top .image) | nindent 10 }}
          command: [python, -m, signalink_core.testing.promise]
          args:
            - {{ .promise }}
            - --timeout={{ sub $p.timeoutSeconds 2 }}
            {{- if ($top.Values.faults | default dict).testFail }}
            - --fail
            {{- end }}
          env:
            {{- range $key, $value := .env }}
            - name: {{ $key | quote }}
              value: {{ $value | quote }}
            {{- end }}
          {{- include "signalink-lib.resources" $p.resources | nindent 10 }}
          {{- include "signalink-lib.securityContext" $top | nindent 10 }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
            {{- if or .keys (and .kafka (hasKey .env "SIGNALINK_KAFKA_PASSWORD_FILE")) }}
            - name: secrets
              mountPath: /run/secrets/signalink
              readOnly: true
            {{- end }}
            {{- if .kubernetes }}
            - name: kube-token
              mountPath: /var/run/secrets/kubernetes.io/serviceaccount
              readOnly: true
            {{- end }}
      volumes:
        - name: tmp
          emptyDir:
            sizeLimit: {{ $top.Values.tmp.sizeLimit | quote }}
        {{- with .keys }}
        {{- include "signalink-lib.authVolume" (list $top .) | nindent 8 }}
        {{- end }}
        {{- if and .kafka (hasKey .env "SIGNALINK_KAFKA_PASSWORD_FILE") }}
        {{- $binding := include "signalink-lib.binding" (list $top "kafka") | fromYaml }}
        - name: secrets
          projected:
            defaultMode: 0440
            sources:
              {{- include "signalink-lib.secretSource" (list $top (omit $binding.passwordSecret "key") "kafka" "kafka-prober") | nindent 14 }}
        {{- end }}
        {{- if .kubernetes }}
        {{- include "signalink-lib.kubeToken" $top | nindent 8 }}
        {{- end }}
{{- end }}
{{- end }}

{{/* The promise of a chart that watches; its name stands in files/service.yaml. */}}
{{- define "signalink-lib.observerPromise" -}}
{{- $s := include "signalink-lib.service" . | fromYaml -}}
{{- $host := include "signalink-lib.fullname" . -}}
{{- $env := dict "SIGNALINK_PROMISE_URL" (printf "http://%s:%d" $host (int $s.port)) -}}
{{- if eq $s.promise "spans" -}}
{{- $env = dict "SIGNALINK_PROMISE_OTLP_URL" (printf "http://%s:4318" $host) "SIGNALINK_PROMISE_URL" (printf "http://%s:16686" (include "signalink-lib.host" (list . "jaeger"))) -}}
{{- end -}}
{{- with $s.keys }}{{ $_ := set $env "SIGNALINK_PROMISE_PASSWORD_FILE" (printf "/run/secrets/signalink/%s" (first .)) }}{{ end -}}
{{- if not .Values.tracesTo -}}
{{ include "signalink-lib.promiseJob" (dict "top" . "promise" $s.promise "image" .Values.promises.image "keys" $s.keys "env" $env) }}
{{- end -}}
{{- end }}
