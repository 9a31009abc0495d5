{{/* Shared by the application's container and the migration's. */}}
{{- define "web-service.application" -}}
image: {{ include "web-service.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
{{- if or .Values.config .Values.secrets .Values.env }}
env:
  {{- range $name, $value := .Values.config }}
  - name: {{ $name }}
    value: {{ tpl (kindIs "float64" $value | ternary (int64 $value) $value | toString) $ | quote }}
  {{- end }}
  {{- range $name, $key := .Values.secrets }}
  - name: {{ $name }}
    valueFrom:
      secretKeyRef:
        name: {{ tpl $key.name $ }}
        key: {{ $key.key }}
  {{- end }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- with .Values.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A container of the small image that queries a url. Call with root, url, script, and switch if there is one. */}}
{{- define "web-service.asking" -}}
image: {{ .root.Values.tools.image.repository }}:{{ .root.Values.tools.image.tag }}
imagePullPolicy: {{ .root.Values.tools.image.pullPolicy }}
command: ["sh", "-c"]
args:
  - |
    answers() {
      case $URL in
        tcp://*)
          address=${URL#tcp://}
          nc -z -w 2 "${address%:*}" "${address##*:}" 2>/dev/null ||
            timeout 2 bash -c ": </dev/tcp/${address%:*}/${address##*:}" 2>/dev/null ;;
        *)
          if command -v wget >/dev/null; then wget -q -T 2 -O /dev/null "$URL"
          else curl -fsS -m 2 -o /dev/null "$URL"; fi ;;
      esac
    }
    {{- .script | nindent 4 }}
env:
  - name: URL
    value: {{ .url | quote }}
  {{- with .switch }}
  - name: SWITCH
    valueFrom:
      configMapKeyRef:
        name: {{ tpl .configMap $.root }}
        key: {{ .key }}
        optional: true
  {{- end }}
resources:
  requests:
    cpu: 5m
    memory: 8Mi
{{- with .root.Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Init containers, one per dependency, so that the pod's status names the missing one. */}}
{{- define "web-service.waiting" -}}
{{- range .Values.waitFor }}
- name: wait-for-{{ .name }}
  {{- $script := printf "[ \"$SWITCH\" = false ] || until answers; do echo \"waiting for %s ($URL)\" >&2; sleep 1; done" .name }}
  {{- include "web-service.asking" (dict "root" $ "url" (tpl .url $) "script" $script "switch" .switch) | nindent 2 }}
{{- end }}
{{- end }}

{{/* Shared by all pods. */}}
{{- define "web-service.pod" -}}
automountServiceAccountToken: false
# Otherwise a Service whose name is a prefix of the application's variables would inject its own.
enableServiceLinks: false
{{- with .Values.serviceAccountName }}
serviceAccountName: {{ . }}
{{- end }}
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.podSecurityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The user's affinity, plus anti-affinity between replicas unless the user's affinity has its own. */}}
{{- define "web-service.affinity" -}}
{{- $affinity := dict }}
{{- if .Values.antiAffinity }}
{{- $labels := dict "matchLabels" (include "web-service.selectorLabels" . | fromYaml) }}
{{- $term := dict "topologyKey" "kubernetes.io/hostname" "labelSelector" $labels }}
{{- $weighted := dict "weight" 100 "podAffinityTerm" $term }}
{{- $rule := dict "preferredDuringSchedulingIgnoredDuringExecution" (list $weighted) }}
{{- if eq .Values.antiAffinity "required" }}
{{- $rule = dict "requiredDuringSchedulingIgnoredDuringExecution" (list $term) }}
{{- end }}
{{- $_ := set $affinity "podAntiAffinity" $rule }}
{{- end }}
{{- with merge dict .Values.affinity $affinity }}
{{- toYaml . }}
{{- end }}
{{- end }}
