{{- define "database.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/* The release name by default; clients use it as the host name. 52 characters, as pods are labelled with it and a hash. */}}
{{- define "database.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "database.selectorLabels" -}}
app.kubernetes.io/name: {{ include "database.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "database.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "database.selectorLabels" . }}
app.kubernetes.io/version: {{ include "database.tag" . | replace ":" "-" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "database.tag" -}}
{{- $global := default dict .Values.global.image }}
{{- $global.tag | default .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* The database's image. The tag can be a digest, and `global.image` overrides both. */}}
{{- define "database.image" -}}
{{- $global := default dict .Values.global.image }}
{{- $tag := include "database.tag" . }}
{{- $global.repository | default .Values.image.repository }}{{ if hasPrefix "sha256:" $tag }}@{{ else }}:{{ end }}{{ $tag }}
{{- end }}
