import * as z from 'zod';
import * as part from './chart-parts.ts';
import { schema } from './schema.ts';

const image = z.strictObject({
  repository: z.string().regex(/^([^\s:@]+(:\d+\/[^\s:@]+)?)?$/),
  tag: z.string().regex(/^([\w][\w.-]{0,127})?$/),
  digest: z.string().regex(/^(sha256:[0-9a-f]{64})?$/),
  pullPolicy: z.literal(['Always', 'IfNotPresent', 'Never']),
});

const persistence = z.strictObject({
  type: z.literal(['claim', 'existingClaim', 'hostPath', 'emptyDir']),
  size: z.string().regex(/^\d+(\.\d+)?([kMGTP]|[KMGTP]i)?$/),
  storageClass: z.string(),
  accessModes: z.array(z.string()),
  annotations: part.texts,
  retain: z.boolean(),
  existingClaim: z.string(),
  hostPath: z.string().regex(/^(\/.*)?$/),
  chown: z.boolean(),
});

const service = z.strictObject({
  type: z.literal(['ClusterIP', 'NodePort', 'LoadBalancer']),
  port: part.port,
  nodePort: part.port.nullable(),
  trafficDistribution: z.literal(['', 'PreferSameNode', 'PreferSameZone', 'PreferClose']),
  internalTrafficPolicy: z.literal(['', 'Cluster', 'Local']),
  externalTrafficPolicy: z.literal(['', 'Cluster', 'Local']),
  ipFamilyPolicy: z.literal(['', 'SingleStack', 'PreferDualStack', 'RequireDualStack']),
  ipFamilies: z.array(z.literal(['IPv4', 'IPv6'])),
  loadBalancerClass: z.string(),
  loadBalancerSourceRanges: z.array(z.string()),
  annotations: part.texts,
});

const nodes = z.strictObject({
  enabled: z.boolean(),
  state: z.literal(['set-up', 'undone']),
  mirror: z.string().regex(/^(https?:\/\/[^\s/?#]+\/?)?$/),
  upstreams: z.array(z.string()),
  path: z.string().regex(/^\//),
  everySeconds: z.int().min(1),
  ca: z.strictObject({ configMap: z.string(), key: z.string() }),
  undo: z.strictObject({ enabled: z.boolean(), timeoutSeconds: z.int().min(1) }),
  nodeSelector: part.texts,
  tolerations: part.objects,
  priorityClassName: z.string(),
  resources: part.anything,
  updateStrategy: part.anything,
});

/** What may be written into the values of charts/layover; `config` is the configuration itself. */
const values = z.strictObject({
  image,
  imagePullSecrets: part.objects,
  nameOverride: part.label,
  fullnameOverride: part.label,
  commonLabels: part.texts,
  mode: z.literal(['deployment', 'statefulset', 'daemonset']),
  replicas: z.int().min(0),
  config: schema,
  credentials: z.record(
    z.string(),
    z.object({ username: part.name, secret: part.name, key: part.name }).strict(),
  ),
  dockerConfigSecret: z.string(),
  tls: z.strictObject({
    secret: z.string(),
    clientCaSecret: z.string(),
    clientCaKey: z.string(),
  }),
  extraCA: z.strictObject({ secret: z.string(), configMap: z.string(), key: z.string() }),
  proxy: z.strictObject({ http: z.string(), https: z.string(), noProxy: z.string() }),
  persistence,
  service,
  hostPort: z.strictObject({
    enabled: z.boolean(),
    port: part.port,
    hostIP: z.string().regex(/^[^[\]]*$/),
  }),
  ...part.routes,
  ...part.policies,
  resources: part.anything,
  probes: z.strictObject({
    startup: part.anything,
    liveness: part.anything,
    readiness: part.anything,
  }),
  preStopSleepSeconds: z.int().min(0),
  terminationGracePeriodSeconds: z.int().min(0).nullable(),
  updateStrategy: part.anything,
  revisionHistoryLimit: z.int().min(0),
  podSecurityContext: part.anything,
  securityContext: part.anything,
  serviceAccount: z.strictObject({
    create: z.boolean(),
    name: z.string(),
    annotations: part.texts,
  }),
  ...part.pods,
  ...part.monitoring,
  nodes,
  global: part.anything.describe('What a chart around this one hands to all of its charts.'),
});

/** The text of charts/layover/values.schema.json, in the draft that every Helm 3 understands. */
export function chartSchema(): string {
  const made = z.toJSONSchema(values.partial(), { io: 'input', target: 'draft-7' });
  return `${JSON.stringify({ ...made, title: 'Values of the chart layover' }, undefined, 2)}\n`;
}
