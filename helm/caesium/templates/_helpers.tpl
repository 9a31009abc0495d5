{{- define "caesium.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{/*
The base of all names. Up to 52 characters, because the controller labels each pod with this name and a hash of
eleven characters, and a label has at most 63.
*/}}
{{- define "caesium.fullname" -}}
{{- $name := include "caesium.name" . }}
{{- if .Values.fullnameOverride }}
{{- $name = .Values.fullnameOverride }}
{{- else if contains $name .Release.Name }}
{{- $name = .Release.Name }}
{{- else }}
{{- $name = printf "%s-%s" .Release.Name $name }}
{{- end }}
{{- $name | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "caesium.headlessName" -}}
{{ include "caesium.fullname" . }}-headless
{{- end }}

{{- define "caesium.serviceAccountName" -}}
{{- $default := ternary (include "caesium.fullname" .) "default" .Values.serviceAccount.create }}
{{- default $default .Values.serviceAccount.name }}
{{- end }}

{{- define "caesium.selectorLabels" -}}
app.kubernetes.io/name: {{ include "caesium.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "caesium.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "caesium.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | replace ":" "-" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* An image reference. The tag can be a digest. Call with image and default tag. */}}
{{- define "caesium.image" -}}
{{- $tag := .image.tag | default .tag | toString }}
{{- .image.repository }}{{ if hasPrefix "sha256:" $tag }}@{{ else }}:{{ end }}{{ $tag }}
{{- end }}

{{/* Whether replicas must discover each other. */}}
{{- define "caesium.clustered" -}}
{{- if eq .Values.config.databaseType "internal" }}true{{ end }}
{{- end }}

{{/* The DNS domain of the pods' names. */}}
{{- define "caesium.podDomain" -}}
{{ include "caesium.headlessName" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}
{{- end }}
