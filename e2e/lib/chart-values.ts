/** Values by what they are for: each is rendered, validated and looked at. */
export const CASES: Readonly<Record<string, object>> = {
  'nothing but the image': {},
  'by digest': { image: { repository: 'r.example:5000/a/b', digest: `sha256:${'a'.repeat(64)}` } },
  'a small volume of a class': {
    persistence: { size: '1.5Ti', storageClass: 'fast', retain: false, annotations: { a: 'b' } },
  },
  'all of a volume': {
    persistence: { size: '20Gi' },
    config: { storage: { maxSize: '20GiB' } },
  },
  'a claim that exists': { persistence: { type: 'existingClaim', existingClaim: 'mine' } },
  'a folder of the node': {
    persistence: { type: 'hostPath', hostPath: '/var/lib/layover' },
    initContainers: [{ name: 'first', image: 'x' }],
  },
  'several without a volume': {
    replicas: 3,
    persistence: { type: 'emptyDir', size: '20G' },
    podDisruptionBudget: { enabled: true, maxUnavailable: '50%' },
    topologySpreadConstraints: [
      { maxSkew: 1, topologyKey: 'kubernetes.io/hostname', whenUnsatisfiable: 'ScheduleAnyway' },
    ],
    updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 1 } },
  },
  'several with a volume each': {
    mode: 'statefulset',
    replicas: 3,
    podDisruptionBudget: { enabled: true, minAvailable: 0 },
    updateStrategy: { type: 'OnDelete' },
    persistence: { annotations: { a: 'b' } },
  },
  'a statefulset without volumes of its own': {
    mode: 'statefulset',
    persistence: { type: 'emptyDir' },
  },
  'on every node': {
    mode: 'daemonset',
    persistence: { type: 'hostPath', hostPath: '/var/lib/layover', chown: false },
    hostPort: { enabled: true },
    podDisruptionBudget: { enabled: true },
    tolerations: [{ operator: 'Exists' }],
    config: { storage: { maxSize: '20GiB' } },
  },
  'on every node, forgetful': { mode: 'daemonset', persistence: { type: 'emptyDir' } },
  'by the port of the nodes': {
    service: {
      type: 'NodePort',
      nodePort: 30_500,
      trafficDistribution: 'PreferSameNode',
      externalTrafficPolicy: 'Local',
      internalTrafficPolicy: 'Cluster',
      ipFamilyPolicy: 'PreferDualStack',
      ipFamilies: ['IPv6', 'IPv4'],
    },
  },
  'by a load balancer': {
    service: {
      type: 'LoadBalancer',
      port: 443,
      loadBalancerClass: 'lb.example/internal',
      loadBalancerSourceRanges: ['10.0.0.0/8'],
      annotations: { 'lb.example/size': 'small' },
    },
  },
  'by ingress and gateway': {
    ingress: {
      enabled: true,
      className: 'nginx',
      annotations: { 'nginx.ingress.kubernetes.io/proxy-body-size': '0' },
      hosts: ['mirror.example.com'],
      tls: [{ hosts: ['mirror.example.com'], secretName: 'mirror-tls' }],
    },
    route: {
      enabled: true,
      annotations: { a: 'b' },
      parentRefs: [{ name: 'gateway', namespace: 'infra', sectionName: 'https' }],
      hostnames: ['mirror.example.com'],
      filters: [
        {
          type: 'ResponseHeaderModifier',
          responseHeaderModifier: { set: [{ name: 'a', value: 'b' }] },
        },
      ],
    },
  },
  TLS: { tls: { secret: 'mirror-tls' }, serviceMonitor: { enabled: true } },
  'TLS for those with a certificate': {
    tls: { secret: 'mirror-tls', clientCaSecret: 'clients', clientCaKey: 'clients.pem' },
    serviceMonitor: { enabled: true, tlsConfig: { insecureSkipVerify: true } },
  },
  'logins of upstreams': {
    credentials: {
      'docker.io': { username: 'me', secret: 'hub', key: 'password' },
      'registry.lan:5000': { username: 'robot$x', secret: 'lan', key: 'token' },
    },
    dockerConfigSecret: 'pull-secret',
    config: { upstreams: { 'docker.io': { tags: { freshFor: '1h' } }, 'quay.io': 'off' } },
  },
  'a way out through a proxy, behind an authority': {
    proxy: { http: 'http://proxy:3128', https: 'http://proxy:3128', noProxy: '10.0.0.0/8,.svc' },
    extraCA: { configMap: 'authorities', key: 'all.pem' },
  },
  'an authority in a secret': { extraCA: { secret: 'authority' } },
  'a closed network': {
    networkPolicy: {
      enabled: true,
      from: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
      egress: {
        ports: [443, 5000],
        extra: [
          { to: [{ podSelector: { matchLabels: { app: 'proxy' } } }], ports: [{ port: 3128 }] },
        ],
      },
    },
  },
  'an open network': { networkPolicy: { enabled: true } },
  watched: {
    serviceMonitor: {
      enabled: true,
      labels: { release: 'prometheus' },
      relabelings: [{ sourceLabels: ['__meta_kubernetes_pod_node_name'], targetLabel: 'node' }],
      metricRelabelings: [{ regex: 'nodejs_gc.*', sourceLabels: ['__name__'], action: 'drop' }],
    },
    prometheusRule: {
      enabled: true,
      labels: { release: 'prometheus' },
      disabled: ['LayoverCacheTooSmall'],
      runbook: 'https://docs.example.com/operations',
    },
    dashboard: { enabled: true, annotations: { grafana_folder: 'Registries' } },
    nameOverride: 'mirror',
  },
  'nodes by their port': {
    nodes: { enabled: true },
    service: { type: 'NodePort', nodePort: 30_500, trafficDistribution: 'PreferSameNode' },
  },
  'nodes that are to be as they were': {
    nodes: { enabled: true, state: 'undone' },
    service: { type: 'NodePort', nodePort: 30_500 },
  },
  'nodes by their own server': {
    nodes: { enabled: true, upstreams: ['docker.io', 'quay.io'], undo: { enabled: false } },
    mode: 'daemonset',
    hostPort: { enabled: true, port: 5000 },
    persistence: { type: 'emptyDir' },
  },
  'nodes by a name, with TLS': {
    nodes: {
      enabled: true,
      mirror: 'https://mirror.example.com',
      ca: { configMap: 'authority', key: 'ca.pem' },
      path: '/var/lib/rancher/rke2/agent/etc/containerd',
      priorityClassName: 'system-node-critical',
    },
    tls: { secret: 'mirror-tls' },
    imagePullSecrets: [{ name: 'pull' }],
  },
  'everything that goes through as it is': {
    commonLabels: { team: 'platform' },
    fullnameOverride: 'mirror',
    podLabels: { tier: 'infra' },
    podAnnotations: { note: 'a' },
    hostAliases: [{ ip: '10.0.0.1', hostnames: ['registry.lan'] }],
    dnsPolicy: 'None',
    dnsConfig: { nameservers: ['10.0.0.2'] },
    extraEnv: [{ name: 'LAYOVER_LOG_LEVEL', value: 'debug' }],
    extraEnvFrom: [{ secretRef: { name: 'more' } }],
    extraVolumes: [{ name: 'more', emptyDir: {} }],
    extraVolumeMounts: [{ name: 'more', mountPath: '/more' }],
    sidecars: [{ name: 'side', image: 'x' }],
    extraObjects: [{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'extra' } }],
    affinity: { nodeAffinity: {} },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'x', operator: 'Exists' }],
    priorityClassName: 'high',
    serviceAccount: { create: true, name: 'own', annotations: { a: 'b' } },
    terminationGracePeriodSeconds: 7,
    preStopSleepSeconds: 0,
    config: { listen: '[::]:9000', drain: '1m30s', log: { level: 'warn' } },
  },
  'a release, an account and a label of one name': {
    fullnameOverride: 'layover',
    serviceAccount: { create: true, name: 'custom' },
  },
  'nodes in a closed network, by an address of IPv6': {
    mode: 'daemonset',
    persistence: { type: 'emptyDir' },
    hostPort: { enabled: true, hostIP: '::1' },
    nodes: { enabled: true },
    networkPolicy: { enabled: true, from: [{ ipBlock: { cidr: 'fd00::/8' } }] },
  },
  'an account that exists': { serviceAccount: { create: false, name: 'theirs' } },
};

/** Values that the chart refuses, and what it says. */
export const REFUSED: Readonly<Record<string, readonly [object, RegExp]>> = {
  'no image': [{ image: { repository: '' } }, /image\.repository: where the image/],
  'servers that share a volume': [{ replicas: 2 }, /a store has one server/],
  'a statefulset that shares a claim': [
    {
      mode: 'statefulset',
      replicas: 2,
      persistence: { type: 'existingClaim', existingClaim: 'mine' },
    },
    /they would share a store/,
  ],
  'a claim for all nodes': [{ mode: 'daemonset' }, /one volume for all nodes/],
  'a claim without a name': [
    { persistence: { type: 'existingClaim' } },
    /persistence\.existingClaim: is needed/,
  ],
  'a folder without a name': [{ persistence: { type: 'hostPath' } }, /persistence\.hostPath: is/],
  'another path of the store': [{ config: { storage: { path: '/x' } } }, /the volume is at \/data/],
  'a certificate by path': [
    { config: { tls: { cert: 'a', key: 'b' } } },
    /comes from a Secret: tls\.secret/,
  ],
  'clients with certificates, a server without': [
    { tls: { clientCaSecret: 'x' } },
    /needs tls\.secret as well/,
  ],
  'a login twice': [
    {
      credentials: { 'docker.io': { username: 'a', secret: 'b', key: 'c' } },
      config: { upstreams: { 'docker.io': { credentials: { username: 'a', passwordEnv: 'B' } } } },
    },
    /those of docker\.io are in config\.upstreams as well/,
  ],
  'a login of an upstream that is off': [
    {
      credentials: { 'docker.io': { username: 'a', secret: 'b', key: 'c' } },
      config: { upstreams: { 'docker.io': 'off' } },
    },
    /docker\.io is off/,
  ],
  'two authorities': [{ extraCA: { secret: 'a', configMap: 'b' } }, /not both/],
  'nodes that cannot reach it': [{ nodes: { enabled: true } }, /no address by which containerd/],
  'a port of nodes without its type': [{ service: { nodePort: 30_000 } }, /needs service\.type/],
  'a claim that nobody asks for': [
    { persistence: { existingClaim: 'mine' } },
    /persistence\.existingClaim: needs persistence\.type: existingClaim/,
  ],
  'a folder that nobody asks for': [
    { persistence: { hostPath: '/data' } },
    /persistence\.hostPath: needs persistence\.type: hostPath/,
  ],
  'an ingress without hosts': [{ ingress: { enabled: true } }, /ingress\.hosts: /],
  'a route without a gateway': [{ route: { enabled: true } }, /route\.parentRefs: /],
  'a server that only listens to itself': [
    { config: { listen: '127.0.0.1:8080' } },
    /config\.listen: 127\.0\.0\.1:8080 is reached from nowhere/,
  ],
  'a server that only listens to itself, by name': [
    { config: { listen: 'localhost:8080' } },
    /config\.listen: /,
  ],
  'a server that only listens to itself, with IPv6': [
    { config: { listen: '[::1]:8080' } },
    /config\.listen: /,
  ],
  'a server that listens to a socket': [
    { config: { listen: 'unix:/run/layover.sock' } },
    /config\.listen: unix:\/run\/layover\.sock/,
  ],
  'a budget that the volume has no room for': [
    { persistence: { size: '20Gi' }, config: { storage: { maxSize: '20.5GiB' } } },
    /config\.storage\.maxSize: 20\.5GiB is more than persistence\.size: 20Gi/,
  ],
  'a name that is none': [{ fullnameOverride: 'My_Mirror' }, /fullnameOverride/],
  'a part of a name that is none': [{ nameOverride: 'a.b' }, /nameOverride/],
  'a number of servers where nodes count': [
    { mode: 'daemonset', replicas: 2, persistence: { type: 'emptyDir' } },
    /replicas: with mode: daemonset there is one on each node/,
  ],
  'more that are to stay than there are': [
    {
      mode: 'statefulset',
      replicas: 2,
      podDisruptionBudget: { enabled: true, minAvailable: 3 },
    },
    /podDisruptionBudget\.minAvailable: 3 is more than replicas/,
  ],
  'a volume without room': [{ persistence: { size: '1Mi' } }, /persistence\.size: 1Mi is too/],
  'a folder for nobody': [
    {
      persistence: { type: 'hostPath', hostPath: '/data' },
      podSecurityContext: { runAsUser: null },
    },
    /persistence\.chown: needs podSecurityContext\.runAsUser and \.runAsGroup/,
  ],
  'a scrape that takes longer than what is between two': [
    { serviceMonitor: { enabled: true, interval: '30s', scrapeTimeout: '1m' } },
    /serviceMonitor\.scrapeTimeout: 1m is longer than interval: 30s/,
  ],
  'an alert that there is not': [
    { prometheusRule: { enabled: true, disabled: ['LayoverCacheToSmall'] } },
    /prometheusRule\.disabled: there is no alert LayoverCacheToSmall/,
  ],
  'a mirror below a path': [
    { nodes: { enabled: true, mirror: 'https://example.com/mirror' } },
    /mirror/,
  ],
  'an address in brackets': [{ hostPort: { enabled: true, hostIP: '[::1]' } }, /hostIP/],
  'nodes that are to find a server on themselves, of which there is one': [
    { nodes: { enabled: true }, hostPort: { enabled: true } },
    /hostPort\.hostIP: 127\.0\.0\.1 is reached from the server's own node alone/,
  ],
  'nodes without the certificate that is asked for': [
    {
      nodes: { enabled: true },
      service: { type: 'NodePort', nodePort: 30_500 },
      tls: { secret: 'a', clientCaSecret: 'b' },
    },
    /nodes: containerd would have no certificate/,
  ],
  'a label of the chart again': [
    { commonLabels: { 'app.kubernetes.io/name': 'x' } },
    /commonLabels: app\.kubernetes\.io\/name is the chart's own/,
  ],
  'a label of the pods again': [
    { podLabels: { 'app.kubernetes.io/component': 'x' } },
    /podLabels: app\.kubernetes\.io\/component is the chart's own/,
  ],
  'a key that is misspelt': [{ persistance: {} }, /additional properties 'persistance'/],
  'a key of the configuration that is misspelt': [
    { config: { storage: { maxsize: '1GiB' } } },
    /additional properties 'maxsize'/,
  ],
  'a value of the configuration that makes no sense': [{ config: { drain: 'soon' } }, /drain/],
};
