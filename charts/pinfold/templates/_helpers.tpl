{{- define "pinfold.labels" -}}
app.kubernetes.io/name: pinfold
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- /* Takes (dict "component" name "root" root). */ -}}
{{- define "pinfold.selector" -}}
app.kubernetes.io/name: pinfold
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- /* What `restricted` asks of a pod and of its container, and more. */ -}}
{{- define "pinfold.podSecurityContext" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "pinfold.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- /* Ports of any address, and cluster DNS. Takes (dict "ports" list "root" root). */ -}}
{{- define "pinfold.egress" -}}
- ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . }}}
    {{- end }}
- to:
    - namespaceSelector:
        matchLabels: {kubernetes.io/metadata.name: {{ .root.Values.dns.namespace }}}
      podSelector:
        matchLabels: {{- toYaml .root.Values.dns.podLabels | nindent 10 }}
  ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
{{- end }}

{{- /* Takes (dict "image" image "root" root). */ -}}
{{- define "pinfold.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{- /* Whose writes in tenants' namespaces are the platform's own: the operator, and Kubernetes' controllers in
both forms of their identity. Everybody else is held to the label rules. */ -}}
{{- define "pinfold.notPlatform" -}}
!(request.userInfo.username in ['system:serviceaccount:{{ .Release.Namespace }}:pinfold-operator', 'system:kube-controller-manager', 'system:kube-scheduler', 'system:apiserver']) && !request.userInfo.groups.exists(g, g in ['system:serviceaccounts:kube-system', 'system:nodes'])
{{- end }}

{{- /* The control-plane API. */ -}}
{{- define "pinfold.isApi" -}}
request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:pinfold-api'
{{- end }}

{{- /* The operator itself. */ -}}
{{- define "pinfold.isOperator" -}}
request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:pinfold-operator'
{{- end }}
