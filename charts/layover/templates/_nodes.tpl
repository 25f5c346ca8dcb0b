{{/* A pod that works on the files of its node: dict "root" $ "component" … "args" list, and "again" if that is to be done again and again */}}
{{- define "layover.nodePod" -}}
{{- $values := .root.Values.nodes -}}
metadata:
  labels:
    {{- include "layover.selector" . | nindent 4 }}
    {{- with .root.Values.commonLabels }}
    {{- toYaml . | nindent 4 }}
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
      {{- include "layover.nodeContainer" . | nindent 6 }}
  containers:
    - name: keep
      image: {{ include "layover.image" .root }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command:
        - /nodejs/bin/node
        - --eval
        - {{ .root.Files.Get "files/keep-nodes.cjs" | quote }}
      {{- if .again }}
      args:
        - --
        {{- toYaml (append .args "--quiet") | nindent 8 }}
      {{- end }}
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
{{- $values := .root.Values.nodes -}}
env:
  - name: NODE_IP
    valueFrom: { fieldRef: { fieldPath: status.hostIP } }
  - { name: EVERY, value: {{ $values.everySeconds | quote }} }
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: { drop: [ALL] }
resources:
  {{- toYaml $values.resources | nindent 2 }}
volumeMounts:
  - { name: containerd, mountPath: {{ printf "/host%s" $values.path | quote }} }
  {{- if $values.ca.configMap }}
  - { name: ca, mountPath: /etc/layover/ca, readOnly: true }
  {{- end }}
{{- end -}}

{{/* What both setup and its undoing say. A file that somebody wrote by hand holds up neither the pods nor a hook. */}}
{{- define "layover.nodeArgs" -}}
{{- list "setup" "containerd" "--root" "/host" "--certs-d" (printf "%s/certs.d" (trimSuffix "/" .Values.nodes.path)) "--write" "--left-alone" "told" | toJson -}}
{{- end -}}
