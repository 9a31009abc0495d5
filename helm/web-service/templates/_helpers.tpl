{{/* If this chart is a dependency, its alias. Aliases are in camel case. */}}
{{- define "web-service.name" -}}
{{- default (kebabcase .Chart.Name) .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* The base of all names. At most 52 characters, so that names derived from it fit into 63. */}}
{{- define "web-service.fullname" -}}
{{- $name := include "web-service.name" . }}
{{- if .Values.fullnameOverride }}
{{- $name = tpl .Values.fullnameOverride . }}
{{- else if contains $name .Release.Name }}
{{- $name = .Release.Name }}
{{- else }}
{{- $name = printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "web-service.selectorLabels" -}}
app.kubernetes.io/name: {{ include "web-service.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "web-service.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "web-service.selectorLabels" . }}
app.kubernetes.io/version: {{ include "web-service.tag" . | replace ":" "-" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Labels of pods that are not replicas, so that the Service never routes to them. Call with root and suffix. */}}
{{- define "web-service.besideLabels" -}}
app.kubernetes.io/name: {{ include "web-service.name" .root | trunc 47 | trimSuffix "-" }}-{{ .suffix }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "web-service.tag" -}}
{{- $global := default dict .Values.global.image }}
{{- $global.tag | default .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The application's image. The tag can be a digest, and `global.image` overrides both. */}}
{{- define "web-service.image" -}}
{{- $global := default dict .Values.global.image }}
{{- $tag := include "web-service.tag" . }}
{{- $global.repository | default .Values.image.repository }}{{ if hasPrefix "sha256:" $tag }}@{{ else }}:{{ end }}{{ $tag }}
{{- end }}
