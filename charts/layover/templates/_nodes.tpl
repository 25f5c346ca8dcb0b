{{/* A pod that works on the files of its node, once, and then stands by: dict "root" $ "component" … "args" list */}}
{{- define "layover.nodePod" -}}
{{- $values := .root.Values.nodes -}}
metadata:
  labels:
    {{- include "layover.selector" . | nindent 4 }}
    {{- with .root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if eq .component "nodes" }}
  annotations:
    # Other upstreams: other files.
    checksum/config: {{ include "layover.config" .root | sha256sum }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  terminationGracePeriodSeconds: 5
  securityContext:
    # The files are root's.
    runAsUser: 0
    runAsGroup: 0
    seccompProfile: { type: RuntimeDefault }
  initContainers:
    - name: setup
      image: {{ include "layover.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      args:
        {{- toYaml .args | nindent 8 }}
      env:
        - name: NODE_IP
          valueFrom: { fieldRef: { fieldPath: status.hostIP } }
        {{- if .root.Values.nodes.ca.configMap }}
        - name: NODE_EXTRA_CA_CERTS
          value: /etc/layover/ca/{{ .root.Values.nodes.ca.key }}
        {{- end }}
      {{- include "layover.nodeContainer" . | nindent 6 }}
      volumeMounts:
        - { name: containerd, mountPath: {{ printf "/host%s" $values.path | quote }} }
        {{- if $values.ca.configMap }}
        - { name: ca, mountPath: /etc/layover/ca, readOnly: true }
        {{- end }}
  containers:
    - name: standby
      image: {{ include "layover.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command: [/nodejs/bin/node, --eval]
      args:
        - process.once('SIGTERM', () => process.exit()); setInterval(() => {}, 2 ** 30)
      {{- include "layover.nodeContainer" . | nindent 6 }}
  volumes:
    - name: containerd
      hostPath:
        path: {{ $values.path | quote }}
        type: DirectoryOrCreate
    {{- with $values.ca.configMap }}
    - name: ca
      configMap:
        name: {{ . }}
    {{- end }}
  {{- range $key := list "nodeSelector" "tolerations" "priorityClassName" }}
  {{- with get $values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}

{{- define "layover.nodeContainer" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources:
  {{- toYaml .root.Values.nodes.resources | nindent 2 }}
{{- end -}}

{{/* What both setup and its undoing say. */}}
{{- define "layover.nodeArgs" -}}
{{- list "setup" "containerd" "--root" "/host" "--certs-d" (printf "%s/certs.d" (trimSuffix "/" .Values.nodes.path)) "--write" | toJson -}}
{{- end -}}
