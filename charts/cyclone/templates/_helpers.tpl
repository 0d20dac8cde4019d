{{/* The chart's name, for labels and for objects without a name of their own. */}}
{{- define "cyclone.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* What selects the pods; never changes in the life of a release. */}}
{{- define "cyclone.selectorLabels" -}}
app.kubernetes.io/name: {{ include "cyclone.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "cyclone.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "cyclone.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/component: gateway
app.kubernetes.io/managed-by: {{ .Release.Service }}
app: cyclone
{{- end }}

{{- define "cyclone.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end }}

{{- define "cyclone.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "cyclone.name" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end }}

{{- define "cyclone.configMapName" -}}
{{ include "cyclone.name" . }}-config
{{- end }}

{{/* cyclone.yaml. Without an upstream and routes: a route that answers, so that a first install is
     complete and its probes succeed. */}}
{{- define "cyclone.config" -}}
{{- $config := deepCopy .Values.config }}
{{- if not $config.upstream }}
{{- $config = unset $config "upstream" }}
{{- if not $config.routes }}
{{- $body := "Cyclone is running. Set config.upstream in the chart's values.\n" }}
{{- $respond := dict "status" 200 "content_type" "text/plain" "body" $body }}
{{- $_ := set $config "routes" (list (dict "name" "hello" "path" "/*" "respond" $respond)) }}
{{- end }}
{{- end }}
{{- toYaml $config }}
{{- end }}
