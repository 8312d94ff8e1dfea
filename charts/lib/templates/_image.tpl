{{/* The reference of an image: (list . image). By digest; with global.devImages ours by tag, and others that have no digest yet. */}}
{{- define "signalink-lib.image" -}}
{{- $top := index . 0 -}}
{{- $image := index . 1 -}}
{{- $global := $top.Values.global -}}
{{- $ours := hasPrefix "signalink/" $image.repository -}}
{{- $digest := $image.digest | default (index $global.imageDigests $image.repository) -}}
{{- $tag := $image.tag | default (ternary $global.imageTag "" $ours) | default (ternary $top.Chart.AppVersion "" $ours) -}}
{{- $name := include "signalink-lib.repository" (list $top $image) -}}
{{- if and $global.devImages $tag (or $ours (not $digest)) -}}
{{ printf "%s:%s" $name $tag }}
{{- else if $digest -}}
{{ printf "%s%s@%s" $name (ternary (printf ":%s" $tag) "" (ne $tag "")) $digest }}
{{- else -}}
{{ fail (printf "image.digest is missing for %s: set it, or global.imageDigests.%s, to the sha256 of the image; for images loaded into kind set global.devImages=true" $image.repository $image.repository) }}
{{- end -}}
{{- end }}

{{/* Registry and repository, rewritten by global.imageMap: the longest prefix wins; Docker Hub's names may be written in full there. */}}
{{- define "signalink-lib.repository" -}}
{{- $top := index . 0 -}}
{{- $image := index . 1 -}}
{{- $global := $top.Values.global -}}
{{- $registry := $image.registry | default $global.imageRegistry -}}
{{- $plain := ternary (printf "%s/%s" (trimSuffix "/" $registry) $image.repository) $image.repository (ne $registry "") -}}
{{- $hub := printf "docker%sio" "." -}}
{{- $forms := list $plain -}}
{{- if eq $registry "" -}}
{{- $forms = append $forms (printf "%s/%s" $hub (ternary $plain (printf "library/%s" $plain) (contains "/" $plain))) -}}
{{- end -}}
{{- $best := "" -}}
{{- $result := $plain -}}
{{- $found := false -}}
{{- range $form := $forms -}}
{{- range $prefix, $to := $global.imageMap -}}
{{- $whole := trimSuffix "/" $prefix -}}
{{- if and (or (eq $whole "") (eq $form $whole) (hasPrefix (printf "%s/" $whole) $form)) (or (not $found) (gt (len $prefix) (len $best))) -}}
{{- $found = true -}}
{{- $best = $prefix -}}
{{- $result = printf "%s/%s" (trimSuffix "/" $to) (trimPrefix $whole $form | trimPrefix "/") | trimSuffix "/" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{ $result }}
{{- end }}

{{/* image and imagePullPolicy of a container: (list . image) */}}
{{- define "signalink-lib.containerImage" -}}
{{- $top := index . 0 -}}
{{- $image := index . 1 -}}
image: {{ include "signalink-lib.image" . | quote }}
imagePullPolicy: {{ if $top.Values.global.devImages }}IfNotPresent{{ else }}{{ $image.pullPolicy | default "Always" }}{{ end }}
{{- end }}

{{/* imagePullSecrets of a pod: those of the release and of every image that the chart's pods run. */}}
{{- define "signalink-lib.pullSecrets" -}}
{{- $names := concat .Values.global.imagePullSecrets .Values.image.pullSecrets -}}
{{- range $part := list "bootstrap" "promises" -}}
{{- $names = dig $part "image" "pullSecrets" list ($.Values | merge dict) | concat $names -}}
{{- end -}}
{{- $names = $names | uniq -}}
{{- with $names }}
imagePullSecrets:
{{- range . }}
  - name: {{ . | quote }}
{{- end }}
{{- end }}
{{- end }}
