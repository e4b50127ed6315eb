{{- /* What every process of the API is told. Takes the root. */ -}}
{{- define "pinfold.api.env" -}}
- name: SERVICE_URL
  value: {{ .Values.api.serviceURL | quote }}
- name: PINFOLD_HTTP_ADDRESS
  value: 0.0.0.0:8080
- name: PINFOLD_HTTP_ADMIN_ADDRESS
  value: 0.0.0.0:8081
- name: PINFOLD_LOG
  value: {{ .Values.log | quote }}
- name: PINFOLD_TEMPLATES_NAMESPACE
  value: {{ .Values.templates.namespace }}
{{- range $name, $value := .Values.api.settings }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- range $name := list "DATABASE_URL" "PINFOLD_MASTER_KEY" }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.api.secretName }}, key: {{ $name }}}}
{{- end }}
{{- range $name := list "JWT_SECRET" "PINFOLD_KUBERNETES_AUDIT_TOKEN" "PINFOLD_PREVIOUS_MASTER_KEY" "REDIS_URL" "SHADOW_SECRET" "SMTP_URL" }}
- name: {{ $name }}
  valueFrom: {secretKeyRef: {name: {{ $.Values.api.secretName }}, key: {{ $name }}, optional: true}}
{{- end }}
{{- end }}

{{- /* The files that a process of the API reads: its certificate if it serves, and who vouches for servers of one's own.
Both take (dict "serves" bool "root" root), and give nothing if there are none. */ -}}
{{- define "pinfold.api.mounts" -}}
{{- with .root.Values.api -}}
{{- if and $.serves .tls.secretName -}}
- {name: tls, mountPath: /etc/pinfold/tls, readOnly: true}
{{ end -}}
{{- if .authorities.configMapName -}}
- {name: authorities, mountPath: /etc/pinfold/authorities, readOnly: true}
{{ end -}}
{{- end -}}
{{- end }}

{{- define "pinfold.api.volumes" -}}
{{- with .root.Values.api -}}
{{- if and $.serves .tls.secretName -}}
- name: tls
  secret: {secretName: {{ .tls.secretName }}, defaultMode: 0440}
{{ end -}}
{{- if .authorities.configMapName -}}
- name: authorities
  configMap: {name: {{ .authorities.configMapName }}}
{{ end -}}
{{- end -}}
{{- end }}

{{- /* One Deployment of the API. Takes (dict "name" name "component" component "args" list "replicas" n "serves" bool "root" root). */ -}}
{{- define "pinfold.api.deployment" -}}
{{- $api := .root.Values.api -}}
{{- $selector := include "pinfold.selector" . -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "pinfold.labels" .root | nindent 4 }}
    app.kubernetes.io/component: {{ .component }}
spec:
  replicas: {{ .replicas }}
  revisionHistoryLimit: 3
  selector:
    matchLabels: {{- $selector | nindent 6 }}
  template:
    metadata:
      labels: {{- $selector | nindent 8 }}
      {{- with $api.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      serviceAccountName: pinfold-api
      automountServiceAccountToken: true
      enableServiceLinks: false
      # Three seconds' notice, twenty for requests under way.
      terminationGracePeriodSeconds: 30
      {{- with .root.Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
      securityContext: {{- include "pinfold.podSecurityContext" . | nindent 8 }}
      topologySpreadConstraints:
        - maxSkew: 1
          topologyKey: kubernetes.io/hostname
          whenUnsatisfiable: ScheduleAnyway
          labelSelector:
            matchLabels: {{- $selector | nindent 14 }}
      containers:
        - name: api
          image: {{ include "pinfold.image" (dict "image" $api.image "root" .root) | quote }}
          imagePullPolicy: {{ $api.image.pullPolicy }}
          args: {{- toYaml .args | nindent 12 }}
          env:
            {{- include "pinfold.api.env" .root | nindent 12 }}
            {{- if and .serves $api.tls.secretName }}
            - name: PINFOLD_TLS_CERTIFICATE
              value: /etc/pinfold/tls/tls.crt
            - name: PINFOLD_TLS_KEY
              value: /etc/pinfold/tls/tls.key
            {{- end }}
          ports:
            {{- if .serves }}
            - {name: api, containerPort: 8080}
            {{- end }}
            - {name: admin, containerPort: 8081}
          # One that waits for its database is alive, and not ready.
          startupProbe:
            httpGet: {path: /healthz, port: admin}
            periodSeconds: 1
            failureThreshold: 60
          livenessProbe:
            httpGet: {path: /healthz, port: admin}
            periodSeconds: 10
          readinessProbe:
            httpGet: {path: /readyz, port: admin}
            periodSeconds: 2
          resources: {{- toYaml $api.resources | nindent 12 }}
          securityContext: {{- include "pinfold.securityContext" . | nindent 12 }}
          {{- with include "pinfold.api.mounts" . }}
          volumeMounts: {{- . | nindent 12 }}
          {{- end }}
      {{- with include "pinfold.api.volumes" . }}
      volumes: {{- . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.nodeSelector }}
      nodeSelector: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with .root.Values.tolerations }}
      tolerations: {{- toYaml . | nindent 8 }}
      {{- end }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  labels: {{- include "pinfold.labels" .root | nindent 4 }}
spec:
  maxUnavailable: 1
  selector:
    matchLabels: {{- $selector | nindent 6 }}
{{- end }}
