{{- define "kubernetes-job.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* The release name. One release is one run, and its name is that of the Job and the claim. */}}
{{- define "kubernetes-job.fullname" -}}
{{- default .Release.Name .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{- define "kubernetes-job.selectorLabels" -}}
app.kubernetes.io/name: {{ include "kubernetes-job.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "kubernetes-job.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "kubernetes-job.selectorLabels" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | toString | replace ":" "-" | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- include "kubernetes-job.label" (dict "name" "git-commit" "value" .Values.metadata.gitCommit) }}
{{- include "kubernetes-job.label" (dict "name" "timestamp" "value" .Values.metadata.timestamp) }}
{{- end }}

{{/* A label whose value may be a number. In a values file, that becomes a float. */}}
{{- define "kubernetes-job.label" -}}
{{- if ne (toString .value) "" }}
{{ .name }}: {{ kindIs "float64" .value | ternary (int64 .value) .value | toString | quote }}
{{- end }}
{{- end }}
