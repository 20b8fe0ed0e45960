{{- define "ocm-gateway.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "ocm-gateway.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "ocm-gateway.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | quote }}
{{ include "ocm-gateway.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "ocm-gateway.image" -}}
{{- $name := printf "%s/%s" .Values.image.registry .Values.image.repository -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" $name .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" $name (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{- define "ocm-gateway.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "ocm-gateway.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "ocm-gateway.secret" -}}
{{- .Values.existingSecret | default (include "ocm-gateway.fullname" .) -}}
{{- end -}}

{{/* Which of the three secrets there are: those given, or those that existingSecret is said to have. */}}
{{- define "ocm-gateway.secretNames" -}}
{{- $found := dict -}}
{{- $external := eq .Values.redis.mode "external" -}}
{{- range $name, $key := .Values.secretKeys -}}
{{- $isWanted := or (ne $name "redisPassword") (and $external $.Values.redis.auth) -}}
{{- if and $key $isWanted (or $.Values.existingSecret (get $.Values.secrets $name)) -}}
{{- $_ := set $found $name $key -}}
{{- end -}}
{{- end -}}
{{- if and .Values.existingSecret (not $external) -}}
{{- $found = omit $found "keys" -}}
{{- end -}}
{{- toJson $found -}}
{{- end -}}

{{/* The gateway's own configuration: what the chart decides over what the operator wrote. */}}
{{- define "ocm-gateway.config" -}}
{{- $secrets := fromJson (include "ocm-gateway.secretNames" .) -}}
{{- $config := deepCopy .Values.config -}}
{{- $ours := dict "http" (dict "host" "0.0.0.0" "port" 8080 "drain_seconds" (int .Values.drainSeconds)) -}}
{{- $_ := set $ours "ops" (dict "host" "0.0.0.0" "port" 8081) -}}
{{- $_ := set $ours "data_dir" "/var/lib/ocm-gateway" -}}
{{- if eq .Values.redis.mode "external" -}}
{{- $store := dict "url" .Values.redis.url "prefix" .Values.redis.prefix -}}
{{- if .Values.redis.username -}}{{- $_ := set $store "username" .Values.redis.username -}}{{- end -}}
{{- if hasKey $secrets "redisPassword" -}}
{{- $_ := set $store "password_file" (printf "/run/secrets/ocm-gateway/%s" $secrets.redisPassword) -}}
{{- end -}}
{{- $_ := set $ours "store" $store -}}
{{- end -}}
{{- if hasKey $secrets "keys" -}}
{{- $_ := set $ours "keys_file" (printf "/run/secrets/ocm-gateway/%s" $secrets.keys) -}}
{{- end -}}
{{- if and (hasKey $secrets "storageCredentials") (not .Values.config.storages) -}}
{{- $file := printf "/run/secrets/ocm-gateway/%s" $secrets.storageCredentials -}}
{{- $_ := set $ours "storage" (dict "credentials_file" $file) -}}
{{- end -}}
{{- $log := dict "log" (dict "format" "json") -}}
{{- mergeOverwrite $log $config $ours | toYaml -}}
{{- end -}}

{{/* Contradictions, each with the sentence that helps. Types and names are the schema's part. */}}
{{- define "ocm-gateway.check" -}}
{{- $external := eq .Values.redis.mode "external" -}}
{{- $storage := .Values.config.storage | default dict -}}
{{- if not .Values.config.public_url -}}
{{- fail "config.public_url is required: the origin under which others reach this gateway, such as https://cloud.example.org" -}}
{{- end -}}
{{- if and (not $storage.url) (not .Values.config.storages) -}}
{{- fail "config.storage.url is required: the storage to share from, such as webdav+https://files.example.org/dav/" -}}
{{- end -}}
{{- if or $storage.credentials (dig "store" "password" "" .Values.config) -}}
{{- fail "config goes into a ConfigMap, which everybody may read: put credentials into secrets or existingSecret" -}}
{{- end -}}
{{- if and .Values.config.storages .Values.config.storage -}}
{{- fail "config.storage and config.storages are both set: write all of them below storages" -}}
{{- end -}}
{{- range $name, $one := .Values.config.storages -}}
{{- if $one.credentials -}}
{{- fail (printf "config goes into a ConfigMap, which everybody may read: mount a Secret with extraVolumes and name it in config.storages.%s.credentials_file" $name) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.existingSecret (compact (values .Values.secrets)) -}}
{{- fail "existingSecret and secrets are both set: choose one" -}}
{{- end -}}
{{- if and (gt (int .Values.replicaCount) 1) (not $external) -}}
{{- fail "replicaCount is more than 1, but each replica would have a store of its own: set redis.mode to external" -}}
{{- end -}}
{{- if and $external (not .Values.redis.url) -}}
{{- fail "redis.mode is external: redis.url is required" -}}
{{- end -}}
{{- if and .Values.redis.url (not $external) -}}
{{- fail "redis.url is set, but redis.mode is embedded: set redis.mode to external" -}}
{{- end -}}
{{- if and $external (not (hasKey (fromJson (include "ocm-gateway.secretNames" .)) "keys")) -}}
{{- fail "with an external store all replicas need the same keys: make them with `ocm-gateway keys init`, and name them in secrets.keys or existingSecret" -}}
{{- end -}}
{{- end -}}
