{{/* In production, the secrets that are placeholders or too short, one per line. */}}
{{- define "toskamesh.unfit" -}}
{{- range $name, $value := .Values.secrets }}
{{- if or (empty $value) (contains "CHANGE_ME" (upper $value)) (contains "development-only" $value) }}
secrets.{{ $name }} is a placeholder ({{ $value | quote }})
{{- else if and (eq $name "jwtSecretKey") (lt (len $value) 64) }}
secrets.{{ $name }} has {{ len $value }} characters and needs 64
{{- end }}
{{- end }}
{{- end }}

{{/* Rejects releases that can't work. */}}
{{- define "toskamesh.check" -}}
{{- if gt (len .Release.Name) 36 }}
{{- fail (printf "the release's name %q is longer than 36 characters: names of services would be cut" .Release.Name) }}
{{- end }}
{{- if and (eq .Values.global.environment "Production") (not .Values.global.existingSecret) }}
{{- with include "toskamesh.unfit" . | trim }}
{{- fail (printf "in production, replace these, or name a Secret in global.existingSecret:\n%s" .) }}
{{- end }}
{{- end }}
{{- end }}

{{- define "toskamesh.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}
