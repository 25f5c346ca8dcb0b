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
{{- include "layover.checks.server" . -}}
{{- include "layover.checks.storage" . -}}
{{- include "layover.checks.network" . -}}
{{- include "layover.checks.nodes" . -}}
{{- include "layover.checks.objects" . -}}
{{- end -}}

{{- define "layover.checks.server" -}}
{{- if and (eq .Values.mode "daemonset") (ne (int .Values.replicas) 1) -}}
{{- fail "replicas: with mode: daemonset there is one on each node" -}}
{{- end -}}
{{- with .Values.config.listen -}}
{{- if or (regexMatch "^(127\\.|localhost|\\[::1\\])|:0$" .) (not (regexMatch "^(\\[[^]]*\\]|[^:]*):[0-9]+$" .)) -}}
{{- fail (printf "config.listen: %s is reached from nowhere: not by probes, and not by the Service; such as 0.0.0.0:8080" .) -}}
{{- end -}}
{{- end -}}
{{- with .Values.podDisruptionBudget -}}
{{- if and .enabled (not (kindIs "string" .minAvailable)) (gt (int .minAvailable) (int $.Values.replicas)) -}}
{{- fail (printf "podDisruptionBudget.minAvailable: %d is more than replicas: no node could ever be emptied" (int .minAvailable)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "layover.checks.storage" -}}
{{- with .Values.persistence -}}
{{- range $type := list "existingClaim" "hostPath" -}}
{{- if and (get $.Values.persistence $type) (ne $.Values.persistence.type $type) -}}
{{- fail (printf "persistence.%s: needs persistence.type: %s" $type $type) -}}
{{- end -}}
{{- end -}}
{{- if and (has .type (list "claim" "emptyDir")) (has (include "layover.budget" .size) (list "0MiB" "1MiB")) -}}
{{- fail (printf "persistence.size: %s is too little for a cache; such as 50Gi" .size) -}}
{{- end -}}
{{- $most := toString (get (default dict $.Values.config.storage) "maxSize") -}}
{{- if and $most (has .type (list "claim" "emptyDir")) (gt (include "layover.bytes" $most | int64) (include "layover.bytes" .size | int64)) -}}
{{- fail (printf "config.storage.maxSize: %s is more than persistence.size: %s" $most .size) -}}
{{- end -}}
{{- if and (eq .type "hostPath") .chown (or (kindIs "invalid" $.Values.podSecurityContext.runAsUser) (kindIs "invalid" $.Values.podSecurityContext.runAsGroup)) -}}
{{- fail "persistence.chown: needs podSecurityContext.runAsUser and .runAsGroup, whose the folder is to become" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "layover.checks.network" -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts: an ingress needs a name at least" -}}
{{- end -}}
{{- if and .Values.route.enabled (not .Values.route.parentRefs) -}}
{{- fail "route.parentRefs: a route needs a gateway at least" -}}
{{- end -}}
{{- end -}}

{{- define "layover.checks.nodes" -}}
{{- if and .Values.nodes.enabled (not .Values.nodes.mirror) .Values.hostPort.enabled (regexMatch "^(127\\.|::1$)" .Values.hostPort.hostIP) (ne .Values.mode "daemonset") -}}
{{- fail (printf "hostPort.hostIP: %s is reached from the server's own node alone, and nodes are all of them: take mode: daemonset, or another address" .Values.hostPort.hostIP) -}}
{{- end -}}
{{- if and .Values.nodes.enabled .Values.tls.clientCaSecret (not (and .Values.nodes.mirror .Values.nodes.upstreams)) -}}
{{- fail "nodes: containerd would have no certificate to show that tls.clientCaSecret asks for; leave one of them out, or name a way without it: nodes.mirror and nodes.upstreams" -}}
{{- end -}}
{{- end -}}

{{- define "layover.checks.objects" -}}
{{- range $key := list "commonLabels" "podLabels" -}}
{{- range $label, $_ := get $.Values $key -}}
{{- if regexMatch "^(app\\.kubernetes\\.io/(name|instance|component|version|managed-by)|helm\\.sh/chart)$" $label -}}
{{- fail (printf "%s: %s is the chart's own" $key $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- with .Values.serviceMonitor -}}
{{- $written := "^([0-9]+(ms|s|m|h|d))+$" -}}
{{- if and (regexMatch $written .interval) (regexMatch $written .scrapeTimeout) (gt (include "layover.seconds" .scrapeTimeout | int) (include "layover.seconds" .interval | int)) -}}
{{- fail (printf "serviceMonitor.scrapeTimeout: %s is longer than interval: %s" .scrapeTimeout .interval) -}}
{{- end -}}
{{- end -}}
{{- $rules := .Files.Get "files/rules.yaml" -}}
{{- range .Values.prometheusRule.disabled -}}
{{- if not (contains (printf "alert: %s\n" .) $rules) -}}
{{- fail (printf "prometheusRule.disabled: there is no alert %s" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
