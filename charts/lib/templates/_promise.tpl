{{/* A Job of `helm test`: (list . promise). */}}
{{- define "signalink-lib.promise" -}}
{{- $top := index . 0 -}}
{{- $promise := index . 1 -}}
{{- if $top.Values.promises.enabled -}}
{{- $s := include "signalink-lib.service" $top | fromYaml -}}
{{- $name := include "signalink-lib.name" $top -}}
apiVersion: batch/v1
kind: Job
metadata:
  {{- include "signalink-lib.metadata" (list $top (printf "%s-test" $name) (printf "-test-%s" $promise)) | nindent 2 }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  backoffLimit: 0
  activeDeadlineSeconds: {{ $top.Values.promises.timeoutSeconds }}
  template:
    metadata:
      labels:
        {{- include "signalink-lib.selector" (list $top (printf "%s-test" $name)) | nindent 8 }}
        app.kubernetes.io/part-of: signalink
    spec:
      {{- include "signalink-lib.pod" $top | nindent 6 }}
      restartPolicy: Never
      containers:
        - name: promise
          {{- include "signalink-lib.containerImage" (list $top $top.Values.image) | nindent 10 }}
          command: [python, -m, signalink_core.testing.promise]
          args:
            - {{ $promise }}
            - --timeout={{ sub $top.Values.promises.timeoutSeconds 2 }}
            {{- if $top.Values.faults.testFail }}
            - --fail
            {{- end }}
          env:
            - name: SIGNALINK_PROMISE_URL
              value: http://{{ include "signalink-lib.fullname" $top }}:{{ $top.Values.ports.http }}
            - name: SIGNALINK_PROMISE_METRICS_URL
              value: http://{{ include "signalink-lib.fullname" $top }}:{{ $top.Values.ports.metrics }}
            {{- range $peer := $s.peers }}
            {{- if has $peer.name (list "api" "gateway") }}
            - name: SIGNALINK_{{ $peer.name | upper }}_URL
              value: {{ include "signalink-lib.peerUrl" (list $top $peer) }}
            {{- end }}
            {{- end }}
            - name: SIGNALINK_WS_ORIGINS
              value: {{ $top.Values.global.origins | default (list $top.Values.global.publicUrls.api) | join "," | quote }}
          {{- include "signalink-lib.resources" $top.Values.promises.resources | nindent 10 }}
          {{- include "signalink-lib.securityContext" $top | nindent 10 }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir:
            sizeLimit: {{ $top.Values.tmp.sizeLimit }}
{{- end }}
{{- end }}
