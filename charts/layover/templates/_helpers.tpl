{{- define "layover.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is put behind it. */}}
{{- define "layover.fullname" -}}
{{- $name := include "layover.name" . -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- default $full .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{/* Of one component: dict "root" $ "component" "mirror" */}}
{{- define "layover.selector" -}}
app.kubernetes.io/name: {{ include "layover.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "layover.labels" -}}
{{ include "layover.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* name, namespace and labels: dict "root" $ "component" … and "suffix", or another "name", if there is one */}}
{{- define "layover.metadata" -}}
name: {{ default (include "layover.fullname" .root) .name }}{{ with .suffix }}-{{ . }}{{ end }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "layover.labels" . | nindent 2 }}
{{- end -}}

{{- define "layover.image" -}}
{{- $repository := required "image.repository: where the image of the Dockerfile has been pushed to, such as registry.example.com/layover" .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{ $repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ $repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "layover.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "layover.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* Seconds of a duration such as 1h30m, rounded up. */}}
{{- define "layover.seconds" -}}
{{- $units := dict "ms" 1 "s" 1000 "m" 60000 "h" 3600000 "d" 86400000 -}}
{{- $sum := 0 -}}
{{- range regexFindAll "[0-9]+(ms|s|m|h|d)" (toString .) -1 -}}
{{- $sum = add $sum (mul (regexFind "^[0-9]+" . | int64) (get $units (regexFind "[a-z]+$" .))) -}}
{{- end -}}
{{- div (add $sum 999) 1000 -}}
{{- end -}}

{{/* Bytes of a size as Kubernetes or Layover writes it: 50Gi, 50GiB, 1.5TB. */}}
{{- define "layover.bytes" -}}
{{- $units := dict "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $unit := regexFind "[a-zA-Z]*$" (toString .) | trimSuffix "B" | replace "K" "k" | replace "ki" "Ki" -}}
{{- mulf (regexFind "^[0-9.]+" (toString .) | float64) (default 1 (get $units $unit)) | floor | int64 -}}
{{- end -}}

{{/* Nine tenths of a quantity such as 50Gi, as Layover writes sizes. */}}
{{- define "layover.budget" -}}
{{- $units := dict "" 1 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 -}}
{{- $text := toString . -}}
{{- $bytes := mulf (regexFind "^[0-9.]+" $text | float64) (get $units (regexFind "[a-zA-Z]*$" $text)) -}}
{{- printf "%dMiB" (divf (mulf $bytes 0.9) 1048576 | floor | int64) -}}
{{- end -}}

{{- define "layover.port" -}}
{{- regexFind "[0-9]+$" (default "0.0.0.0:8080" .Values.config.listen) -}}
{{- end -}}

{{- define "layover.scheme" -}}
{{- ternary "https" "http" (not (empty .Values.tls.secret)) -}}
{{- end -}}

{{/* The configuration as it is mounted. */}}
{{- define "layover.config" -}}
{{- $config := deepCopy .Values.config -}}
{{- $storage := merge (dict "path" "/data") (default dict $config.storage) -}}
{{- if and (not (hasKey $storage "maxSize")) (has .Values.persistence.type (list "claim" "emptyDir")) -}}
{{- $_ := set $storage "maxSize" (include "layover.budget" .Values.persistence.size) -}}
{{- end -}}
{{- $_ := set $config "storage" $storage -}}
{{- if .Values.tls.secret -}}
{{- $tls := dict "cert" "/etc/layover/tls/tls.crt" "key" "/etc/layover/tls/tls.key" -}}
{{- if .Values.tls.clientCaSecret -}}
{{- $_ := set $tls "clientCa" (printf "/etc/layover/client-ca/%s" .Values.tls.clientCaKey) -}}
{{- end -}}
{{- $_ := set $config "tls" $tls -}}
{{- end -}}
{{- if .Values.credentials -}}
{{- $upstreams := default dict $config.upstreams -}}
{{- range $registry, $login := .Values.credentials -}}
{{- $upstream := default dict (get $upstreams $registry) -}}
{{- $file := printf "/etc/layover/credentials/%s/password" (include "layover.volume" $registry) -}}
{{- $_ := set $upstream "credentials" (dict "username" $login.username "passwordFile" $file) -}}
{{- $_ := set $upstreams $registry $upstream -}}
{{- end -}}
{{- $_ := set $config "upstreams" $upstreams -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The name of a registry as that of a volume. */}}
{{- define "layover.volume" -}}
{{- printf "%s-%s" (regexReplaceAll "[^a-z0-9]+" . "-" | trunc 40 | trimAll "-") (sha256sum . | trunc 8) -}}
{{- end -}}

{{/* The address by which a node reaches the mirror on itself. */}}
{{- define "layover.mirror" -}}
{{- $port := ternary .Values.hostPort.port .Values.service.nodePort .Values.hostPort.enabled -}}
{{- $address := printf "%s://$(NODE_IP):%v" (include "layover.scheme" .) $port -}}
{{- $ip := .Values.hostPort.hostIP -}}
{{- if and .Values.hostPort.enabled (not (has $ip (list "" "0.0.0.0" "::"))) -}}
{{- $address = printf "%s://%s:%v" (include "layover.scheme" .) (ternary (printf "[%s]" $ip) $ip (contains ":" $ip)) $port -}}
{{- end -}}
{{- default $address .Values.nodes.mirror -}}
{{- end -}}
