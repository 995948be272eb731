{{/* The pods of both kinds. */}}
{{- define "longhaul.pod" -}}
metadata:
  labels:
    {{- include "longhaul.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    # Most of the configuration counts from the next start on.
    checksum/config: {{ .Values.config | sha256sum }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "longhaul.serviceAccount" . }}
  automountServiceAccountToken: false
  # Their variables would be taken for settings.
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    fsGroup: 65532
    # Otherwise each start opens all files to the group, and the server refuses its keys.
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  containers:
    - name: longhaul
      image: {{ include "longhaul.image" . }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      args: [serve, --config, /etc/longhaul/config/longhaul.toml]
      env:
        # The root of the volume belongs to its group; the server makes a folder that is its own.
        - name: LONGHAUL_DATA_DIR
          value: /data/longhaul
        - name: LONGHAUL_LISTEN
          value: "0.0.0.0:8443,unix:/run/longhaul/longhaul.sock"
        - name: LONGHAUL_SERVER
          value: unix:/run/longhaul/longhaul.sock
        {{- if .Values.tls.insecureHttp }}
        - name: LONGHAUL_INSECURE_HTTP
          value: "true"
        {{- else }}
        - name: LONGHAUL_TLS_CERT
          value: /etc/longhaul/tls/tls.crt
        - name: LONGHAUL_TLS_KEY
          value: /etc/longhaul/tls/tls.key
        {{- end }}
        {{- if .Values.database.enabled }}
        - name: LONGHAUL_DATABASE_URL
          valueFrom:
            secretKeyRef:
              name: {{ .Values.database.existingSecret }}
              key: url
        - name: LONGHAUL_KEY_FILE
          value: /etc/longhaul/keys/keys.json
        {{- end }}
        {{- with .Values.admin.existingSecret }}
        - name: LONGHAUL_ADMIN_PASSWORD
          valueFrom:
            secretKeyRef:
              name: {{ . }}
              key: password
        {{- end }}
        {{- if .Values.workflows.existingConfigMap }}
        - name: LONGHAUL_WORKFLOWS
          value: /etc/longhaul/workflows
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      ports:
        - name: api
          containerPort: 8443
      # A node that waits for its database, or changes a large schema, is live.
      startupProbe:
        {{- include "longhaul.probe" (dict "path" "/health/live" "root" .) | nindent 8 }}
        periodSeconds: 2
        failureThreshold: 300
      livenessProbe:
        {{- include "longhaul.probe" (dict "path" "/health/live" "root" .) | nindent 8 }}
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        {{- include "longhaul.probe" (dict "path" "/health/ready" "root" .) | nindent 8 }}
        periodSeconds: 2
        timeoutSeconds: 5
        failureThreshold: 1
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- include "longhaul.containerSecurity" . | nindent 8 }}
      volumeMounts:
        - name: data
          mountPath: /data
        - name: run
          mountPath: /run/longhaul
        - name: tmp
          mountPath: /tmp
        - name: config
          mountPath: /etc/longhaul/config
          readOnly: true
        {{- if not .Values.tls.insecureHttp }}
        - name: tls
          mountPath: /etc/longhaul/tls
          readOnly: true
        {{- end }}
        {{- if .Values.database.enabled }}
        - name: keys
          mountPath: /etc/longhaul/keys
          readOnly: true
        {{- end }}
        {{- if .Values.workflows.existingConfigMap }}
        - name: workflows
          mountPath: /etc/longhaul/workflows
          readOnly: true
        {{- end }}
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    {{- if .Values.database.enabled }}
    - name: data
      emptyDir: {}
    - name: keys
      secret:
        secretName: {{ .Values.database.keysSecret }}
        defaultMode: 0400
        items: [{ key: keys.json, path: keys.json }]
    {{- end }}
    - name: run
      emptyDir: { medium: Memory, sizeLimit: 1Mi }
    - name: tmp
      emptyDir: {}
    - name: config
      configMap:
        name: {{ include "longhaul.fullname" . }}
    {{- with .Values.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ . }}
        defaultMode: 0400
    {{- end }}
    {{- with .Values.workflows.existingConfigMap }}
    - name: workflows
      configMap:
        name: {{ . }}
    {{- end }}
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if .Values.database.enabled }}
  topologySpreadConstraints:
    {{- if .Values.topologySpreadConstraints }}
    {{- toYaml .Values.topologySpreadConstraints | nindent 4 }}
    {{- else }}
    {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
    - topologyKey: {{ . }}
      maxSkew: 1
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "longhaul.selector" $ | nindent 10 }}
    {{- end }}
    {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}

{{- define "longhaul.probe" -}}
httpGet:
  path: {{ .path }}
  port: api
  scheme: {{ include "longhaul.scheme" .root | upper }}
{{- end }}
