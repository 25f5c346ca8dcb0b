{{/* The pod of a server, the same in every mode. */}}
{{- define "layover.pod" -}}
{{- $drain := include "layover.seconds" (default "30s" .Values.config.drain) -}}
metadata:
  labels:
    {{- include "layover.selector" (dict "root" . "component" "mirror") | nindent 4 }}
    {{- with mergeOverwrite (deepCopy .Values.commonLabels) .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Everything else is read again while it serves.
    checksum/restart: {{ list .Values.config.listen .Values.config.admin .Values.tls | toJson | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "layover.serviceAccount" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  terminationGracePeriodSeconds: {{ default (add $drain .Values.preStopSleepSeconds 5) .Values.terminationGracePeriodSeconds }}
  {{- if or .Values.initContainers (and (eq .Values.persistence.type "hostPath") .Values.persistence.chown) }}
  initContainers:
    {{- if and (eq .Values.persistence.type "hostPath") .Values.persistence.chown }}
    - name: own
      image: {{ include "layover.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      command: [/nodejs/bin/node, --eval]
      args:
        - require('node:fs').chownSync('/data', {{ .Values.podSecurityContext.runAsUser }}, {{ .Values.podSecurityContext.runAsGroup }})
      securityContext:
        runAsUser: 0
        runAsGroup: 0
        runAsNonRoot: false
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL], add: [CHOWN] }
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /data }
    {{- end }}
    {{- with .Values.initContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - name: layover
      image: {{ include "layover.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, --config, /etc/layover/config/layover.yaml]
      {{- with include "layover.env" . }}
      env:
        {{- . | nindent 8 }}
      {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: {{ include "layover.port" . }}
          {{- if .Values.hostPort.enabled }}
          hostPort: {{ .Values.hostPort.port }}
          {{- with .Values.hostPort.hostIP }}
          hostIP: {{ . | quote }}
          {{- end }}
          {{- end }}
      {{- range $name, $path := dict "startup" "/livez" "liveness" "/livez" "readiness" "/readyz" }}
      {{ $name }}Probe:
        {{- include "layover.probe" (dict "root" $ "path" $path) | nindent 8 }}
        {{- toYaml (get $.Values.probes $name) | nindent 8 }}
      {{- end }}
      {{- if gt (int .Values.preStopSleepSeconds) 0 }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.preStopSleepSeconds }}
      {{- end }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      volumeMounts:
        - { name: data, mountPath: /data }
        - { name: tmp, mountPath: /tmp }
        - { name: config, mountPath: /etc/layover/config, readOnly: true }
        {{- if .Values.tls.secret }}
        - { name: tls, mountPath: /etc/layover/tls, readOnly: true }
        {{- end }}
        {{- if .Values.tls.clientCaSecret }}
        - { name: client-ca, mountPath: /etc/layover/client-ca, readOnly: true }
        {{- end }}
        {{- range $registry, $login := .Values.credentials }}
        {{- $volume := include "layover.volume" $registry }}
        - { name: {{ $volume }}, mountPath: /etc/layover/credentials/{{ $volume }}, readOnly: true }
        {{- end }}
        {{- if .Values.dockerConfigSecret }}
        - { name: docker-config, mountPath: /etc/layover/docker, readOnly: true }
        {{- end }}
        {{- if or .Values.extraCA.secret .Values.extraCA.configMap }}
        - { name: extra-ca, mountPath: /etc/layover/extra-ca, readOnly: true }
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .Values.sidecars }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "layover.volumes" . | nindent 4 }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $own := dict "labelSelector" (dict "matchLabels" (include "layover.selector" (dict "root" $ "component" "mirror") | fromYaml)) }}
    - {{- toYaml (merge (deepCopy .) $own) | nindent 6 }}
    {{- end }}
  {{- end }}
  {{- range $key := list "affinity" "nodeSelector" "tolerations" "priorityClassName" "hostAliases" "dnsPolicy" "dnsConfig" }}
  {{- with get $.Values $key }}
  {{ $key }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
{{- end -}}

{{/* Who is to show a certificate is asked from inside: kubelet has none. */}}
{{- define "layover.probe" -}}
{{- if .root.Values.tls.clientCaSecret -}}
exec:
  command: [/nodejs/bin/node, /app/dist/main.js, health, --config, /etc/layover/config/layover.yaml]
{{- else -}}
httpGet:
  path: {{ .path }}
  port: http
  scheme: {{ include "layover.scheme" .root | upper }}
{{- end -}}
{{- end -}}

{{- define "layover.env" -}}
{{- if or .Values.extraCA.secret .Values.extraCA.configMap }}
- name: NODE_EXTRA_CA_CERTS
  value: /etc/layover/extra-ca/{{ .Values.extraCA.key }}
{{- end }}
{{- if .Values.dockerConfigSecret }}
- name: DOCKER_CONFIG
  value: /etc/layover/docker
{{- end }}
{{- range $name, $value := dict "HTTP_PROXY" .Values.proxy.http "HTTPS_PROXY" .Values.proxy.https "NO_PROXY" .Values.proxy.noProxy }}
{{- with $value }}
- name: {{ $name }}
  value: {{ . | quote }}
{{- end }}
{{- end }}
{{- with .Values.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "layover.volumes" -}}
- name: config
  configMap:
    name: {{ include "layover.fullname" . }}
- name: tmp
  emptyDir: { sizeLimit: 64Mi }
{{- with .Values.persistence }}
{{- if eq .type "emptyDir" }}
- name: data
  emptyDir:
    sizeLimit: {{ .size }}
{{- else if eq .type "hostPath" }}
- name: data
  hostPath:
    path: {{ .hostPath | quote }}
    type: DirectoryOrCreate
{{- else if eq .type "existingClaim" }}
- name: data
  persistentVolumeClaim:
    claimName: {{ .existingClaim }}
{{- else if ne $.Values.mode "statefulset" }}
- name: data
  persistentVolumeClaim:
    claimName: {{ include "layover.fullname" $ }}
{{- end }}
{{- end }}
{{- with .Values.tls.secret }}
- name: tls
  secret:
    secretName: {{ . }}
{{- end }}
{{- with .Values.tls.clientCaSecret }}
- name: client-ca
  secret:
    secretName: {{ . }}
{{- end }}
{{- range $registry, $login := .Values.credentials }}
- name: {{ include "layover.volume" $registry }}
  secret:
    secretName: {{ $login.secret }}
    items: [{ key: {{ $login.key }}, path: password }]
{{- end }}
{{- with .Values.dockerConfigSecret }}
- name: docker-config
  secret:
    secretName: {{ . }}
    items: [{ key: .dockerconfigjson, path: config.json }]
{{- end }}
{{- if or .Values.extraCA.secret .Values.extraCA.configMap }}
- name: extra-ca
  {{- if .Values.extraCA.secret }}
  secret:
    secretName: {{ .Values.extraCA.secret }}
  {{- else }}
  configMap:
    name: {{ .Values.extraCA.configMap }}
  {{- end }}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
