import * as z from 'zod';

/** What Kubernetes itself checks: repeating its schemas here would only make them older. */
export const anything = z.record(z.string(), z.unknown());
export const objects = z.array(anything);
export const texts = z.record(z.string(), z.string());
export const port = z.int().min(1).max(65_535);
export const name = z.string().min(1);
/** Part of the name of a Service, as DNS has names; or nothing. */
export const label = z.string().regex(/^([a-z]([-a-z0-9]*[a-z0-9])?)?$/);

/** How clients outside of the cluster come in. */
export const routes = {
  ingress: z.strictObject({
    enabled: z.boolean(),
    className: z.string(),
    annotations: texts,
    hosts: z.array(name),
    tls: objects,
  }),
  route: z.strictObject({
    enabled: z.boolean(),
    annotations: texts,
    parentRefs: objects,
    hostnames: z.array(name),
    filters: objects,
  }),
};

/** What limits traffic, and where pods may be. */
export const policies = {
  networkPolicy: z.strictObject({
    enabled: z.boolean(),
    from: objects,
    egress: z.strictObject({ ports: z.array(port), extra: objects }),
  }),
  podDisruptionBudget: z.strictObject({
    enabled: z.boolean(),
    minAvailable: z.union([z.int().min(0), z.string()]).nullable(),
    maxUnavailable: z.union([z.int().min(0), z.string()]).nullable(),
  }),
  topologySpreadConstraints: objects,
  affinity: anything,
  nodeSelector: texts,
  tolerations: objects,
  priorityClassName: z.string(),
};

/** What goes into the pods as it is. */
export const pods = {
  podAnnotations: texts,
  podLabels: texts,
  hostAliases: objects,
  dnsPolicy: z.string(),
  dnsConfig: anything,
  extraEnv: objects,
  extraEnvFrom: objects,
  extraVolumes: objects,
  extraVolumeMounts: objects,
  initContainers: objects,
  sidecars: objects,
  extraObjects: objects,
};

export const monitoring = {
  serviceMonitor: z.strictObject({
    enabled: z.boolean(),
    labels: texts,
    interval: z.string(),
    scrapeTimeout: z.string(),
    tlsConfig: anything,
    relabelings: objects,
    metricRelabelings: objects,
  }),
  prometheusRule: z.strictObject({
    enabled: z.boolean(),
    labels: texts,
    disabled: z.array(name),
    runbook: z.string().regex(/^(https?:\/\/\S+)?$/),
  }),
  dashboard: z.strictObject({ enabled: z.boolean(), labels: texts, annotations: texts }),
};
