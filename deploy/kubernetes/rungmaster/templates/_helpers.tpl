{{- define "rungmaster.name" -}}
{{ .Values.fullnameOverride | default .Release.Name | trunc 48 | trimSuffix "-" }}
{{- end }}

{{- define "rungmaster.selector" -}}
app.kubernetes.io/name: rungmaster
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "rungmaster.labels" -}}
{{ include "rungmaster.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- /* The database is a file, and so has one master. */}}
{{- define "rungmaster.sqlite" -}}
{{- if or .Values.database.volume.existingClaim .Values.database.volume.size }}yes{{ end }}
{{- end }}

{{- define "rungmaster.databaseSecret" -}}
{{ .Values.database.existingSecret | default (printf "%s-postgresql" (include "rungmaster.name" .)) }}
{{- end }}

{{- define "rungmaster.databaseClaim" -}}
{{ .Values.database.volume.existingClaim | default (printf "%s-database" (include "rungmaster.name" .)) }}
{{- end }}

{{- define "rungmaster.checkpointsClaim" -}}
{{- with .Values.checkpoints }}
{{- if or .existingClaim .size }}{{ .existingClaim | default (printf "%s-checkpoints" (include "rungmaster.name" $)) }}{{ end }}
{{- end }}
{{- end }}

{{- define "rungmaster.slots" -}}
{{ .Values.workers.slots | default .Values.workers.gpus | default 1 }}
{{- end }}

{{- /* Of a pod whose image runs as this user. */}}
{{- define "rungmaster.podSecurity" -}}
runAsNonRoot: true
runAsUser: {{ .uid }}
runAsGroup: {{ .uid }}
fsGroup: {{ .uid }}
fsGroupChangePolicy: OnRootMismatch
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "rungmaster.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "rungmaster.scheduling" -}}
{{- with .nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "rungmaster.claim" -}}
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {{ .name }}
  labels: {{- include "rungmaster.labels" .root | nindent 4 }}
  annotations:
    # What was searched and trained outlives the release.
    helm.sh/resource-policy: keep
spec:
  accessModes: {{ toJson .accessModes }}
  {{- with .storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources:
    requests: {storage: {{ .size }}}
{{- end }}
