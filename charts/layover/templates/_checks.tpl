{{/* What no schema can say: values that do not go together. */}}
{{- define "layover.checks" -}}
{{- $one := has .Values.persistence.type (list "existingClaim" "hostPath") -}}
{{- if and (eq .Values.mode "deployment") (gt (int .Values.replicas) 1) (ne .Values.persistence.type "emptyDir") -}}
{{- fail "replicas: a store has one server. Several need mode: statefulset with a volume each, or persistence.type: emptyDir" -}}
{{- end -}}
{{- if and (eq .Values.mode "statefulset") (gt (int .Values.replicas) 1) $one -}}
{{- fail (printf "replicas: with persistence.type: %s they would share a store; take claim" .Values.persistence.type) -}}
{{- end -}}
{{- if and (eq .Values.mode "daemonset") (not (has .Values.persistence.type (list "hostPath" "emptyDir"))) -}}
{{- fail (printf "persistence.type: %s is one volume for all nodes; with mode: daemonset take hostPath or emptyDir" .Values.persistence.type) -}}
{{- end -}}
{{- if and $one (not (index .Values.persistence .Values.persistence.type)) -}}
{{- fail (printf "persistence.%s: is needed with that persistence.type" .Values.persistence.type) -}}
{{- end -}}
{{- with .Values.config.storage -}}
{{- if and .path (ne .path "/data") -}}
{{- fail "config.storage.path: the volume is at /data" -}}
{{- end -}}
{{- end -}}
{{- if .Values.config.tls -}}
{{- fail "config.tls: the certificate comes from a Secret: tls.secret" -}}
{{- end -}}
{{- if and .Values.tls.clientCaSecret (not .Values.tls.secret) -}}
{{- fail "tls.clientCaSecret: needs tls.secret as well" -}}
{{- end -}}
{{- range $registry, $_ := .Values.credentials -}}
{{- $upstream := index (default dict $.Values.config.upstreams) $registry -}}
{{- if and (kindIs "map" $upstream) (hasKey $upstream "credentials") -}}
{{- fail (printf "credentials: those of %s are in config.upstreams as well" $registry) -}}
{{- end -}}
{{- if and (hasKey (default dict $.Values.config.upstreams) $registry) (not (kindIs "map" $upstream)) -}}
{{- fail (printf "credentials: %s is off in config.upstreams" $registry) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.extraCA.secret .Values.extraCA.configMap -}}
{{- fail "extraCA: secret or configMap, not both" -}}
{{- end -}}
{{- if and .Values.nodes.enabled (not .Values.nodes.mirror) (not .Values.hostPort.enabled) (not .Values.service.nodePort) -}}
{{- fail "nodes: there is no address by which containerd on a node could reach it. Set service.type: NodePort with service.nodePort, or hostPort.enabled, or nodes.mirror" -}}
{{- end -}}
{{- if and .Values.service.nodePort (not (has .Values.service.type (list "NodePort" "LoadBalancer"))) -}}
{{- fail "service.nodePort: needs service.type: NodePort" -}}
{{- end -}}
{{- end -}}
