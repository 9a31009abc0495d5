{{/* The init container. It writes the peers' addresses to /etc/caesium/database-nodes. */}}
{{- define "caesium.discoveryContainer" -}}
image: {{ include "caesium.image" (dict "image" .Values.discovery.image) }}
imagePullPolicy: {{ .Values.discovery.image.pullPolicy }}
command: ["sh", "/discovery/discover.sh"]
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_DOMAIN
    value: {{ include "caesium.podDomain" . }}
  - name: API_URL
    value: http://{{ include "caesium.fullname" . }}.{{ .Release.Namespace }}.svc.{{ .Values.clusterDomain }}:{{ .Values.service.port }}
  - name: HTTP_PORT
    value: {{ .Values.config.port | quote }}
  - name: DQLITE_PORT
    value: {{ .Values.config.dqlitePort | quote }}
  - name: ABSENT_SECONDS
    value: {{ .Values.discovery.absentSeconds | quote }}
  - name: PROBE_TIMEOUT_SECONDS
    value: {{ .Values.discovery.probeTimeoutSeconds | quote }}
  - name: GIVE_UP_SECONDS
    value: {{ .Values.discovery.giveUpSeconds | quote }}
  - name: REPLICAS_FILE
    value: /discovery/replicas
  - name: DATA_DIR
    value: /var/lib/caesium/dqlite
  - name: NODES_FILE
    value: /etc/caesium/database-nodes
{{- with .Values.discovery.resources }}
resources:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.securityContext }}
securityContext:
  {{- toYaml . | nindent 2 }}
{{- end }}
volumeMounts:
  - name: discovery
    mountPath: /discovery
    readOnly: true
  - name: config
    mountPath: /etc/caesium
  - name: data
    mountPath: /var/lib/caesium/dqlite
    readOnly: true
{{- end }}

{{/* The Caesium container. */}}
{{- define "caesium.mainContainer" -}}
image: {{ include "caesium.image" (dict "image" .Values.image "tag" .Chart.AppVersion) }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: ["/bin/sh", "-ec"]
args:
  - |
    {{- if include "caesium.clustered" . }}
    read -r CAESIUM_DATABASE_NODES < /etc/caesium/database-nodes
    export CAESIUM_DATABASE_NODES
    {{- end }}
    exec /bin/caesium start
env:
  - name: POD_NAME
    valueFrom:
      fieldRef:
        fieldPath: metadata.name
  - name: POD_IP
    valueFrom:
      fieldRef:
        fieldPath: status.podIP
  - name: CAESIUM_PORT
    value: {{ .Values.config.port | quote }}
  - name: CAESIUM_NODE_ADDRESS
    {{- if eq .Values.config.nodeAddress "dns" }}
    value: $(POD_NAME).{{ include "caesium.podDomain" . }}:{{ .Values.config.dqlitePort }}
    {{- else }}
    value: $(POD_IP):{{ .Values.config.dqlitePort }}
    {{- end }}
  - name: CAESIUM_DATABASE_PATH
    value: /var/lib/caesium/dqlite
  - name: CAESIUM_DATABASE_TYPE
    value: {{ .Values.config.databaseType }}
  {{- if and (eq .Values.config.databaseType "postgres") .Values.config.databaseDSN }}
  - name: CAESIUM_DATABASE_DSN
    valueFrom:
      secretKeyRef:
        name: {{ include "caesium.fullname" . }}-database
        key: dsn
  {{- end }}
  - name: CAESIUM_LOG_LEVEL
    value: {{ .Values.config.logLevel }}
  - name: CAESIUM_MAX_PARALLEL_TASKS
    value: {{ .Values.config.maxParallelTasks | quote }}
  {{- with .Values.config.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - name: http
    containerPort: {{ .Values.config.port }}
    protocol: TCP
  - name: dqlite
    containerPort: {{ .Values.config.dqlitePort }}
    protocol: TCP
{{- range $name := list "startupProbe" "readinessProbe" "livenessProbe" }}
{{- with index $.Values $name }}
{{- include "caesium.checkProbe" (dict "name" $name "probe" .) }}
{{ $name }}:
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
volumeMounts:
  - name: data
    mountPath: /var/lib/caesium/dqlite
  - name: config
    mountPath: /etc/caesium
  - name: tmp
    mountPath: /tmp
{{- end }}

{{/* Rejects a probe that has the user's handler in addition to the default one from values.yaml. */}}
{{- define "caesium.checkProbe" -}}
{{- $handlers := list }}
{{- range list "exec" "grpc" "httpGet" "tcpSocket" }}
{{- if hasKey $.probe . }}{{ $handlers = append $handlers . }}{{ end }}
{{- end }}
{{- if ne (len $handlers) 1 }}
{{- fail (printf "%s has %d handlers (%s) and needs one: set the other to null" .name (len $handlers) (join ", " $handlers)) }}
{{- end }}
{{- end }}
