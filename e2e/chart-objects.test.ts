import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { chart, objectsIn, type Chart, type KubernetesObject } from './lib/chart.ts';
import { configIn, containersOf, list, type Fields } from './lib/chart-checks.ts';
import { CASES } from './lib/chart-values.ts';
import { scratch, type Scratch } from './lib/scratch.ts';
import { tools } from './lib/tool.ts';

const [helm] = await tools('helm');
assert.ok(helm !== undefined);

suite('the objects of the chart', { skip: helm.missing ?? false }, () => {
  let folder: Scratch;
  let made: Chart;
  before(async () => {
    folder = await scratch();
    assert.ok(helm.missing === undefined);
    made = chart(helm, folder);
  });
  after(() => folder?.[Symbol.asyncDispose]());

  const rendered = async (name: string): Promise<readonly KubernetesObject[]> => {
    const { code, stdout, stderr } = await made.template(CASES[name] ?? assert.fail(name));
    assert.equal(code, 0, stderr);
    return objectsIn(stdout);
  };
  /** The one object of the kind; with a name if there are more. */
  const one = (objects: readonly KubernetesObject[], kind: string, name?: string) => {
    const found = objects.filter(
      (object) => object.kind === kind && (name ?? object.name) === object.name,
    );
    assert.equal(found.length, 1, `${kind} ${name ?? ''}: ${found.length}`);
    return found[0] ?? assert.fail();
  };

  test('one server with a volume is replaced, not rolled', async () => {
    const objects = await rendered('nothing but the image');
    const deployment = one(objects, 'Deployment');
    assert.deepEqual(deployment.at('spec', 'strategy'), { type: 'Recreate' });
    const claim = one(objects, 'PersistentVolumeClaim');
    assert.equal(claim.at('metadata', 'annotations', 'helm.sh/resource-policy'), 'keep');
    const pod = deployment.at('spec', 'template', 'spec') as Fields;
    assert.equal(pod['automountServiceAccountToken'], false);
    // config.drain, the sleep before it, and five seconds.
    assert.equal(pod['terminationGracePeriodSeconds'], 40);
  });

  test('sizes of volumes become budgets', async () => {
    const budgets: unknown[] = [];
    for (const name of [
      'nothing but the image',
      'a small volume of a class',
      'several without a volume',
      'on every node',
    ]) {
      budgets.push(configIn(await rendered(name)).match(/maxSize: (\S+)/)?.[1]);
    }
    assert.deepEqual(budgets, ['46080MiB', '1415577MiB', '17166MiB', '20GiB']);
  });

  test('several servers are spread, and may be disturbed one by one', async () => {
    const objects = await rendered('several without a volume');
    assert.equal(one(objects, 'PodDisruptionBudget').at('spec', 'maxUnavailable'), '50%');
    const [spread] = list(
      one(objects, 'Deployment').at('spec', 'template', 'spec', 'topologySpreadConstraints'),
    );
    const labels = one(objects, 'Deployment').at('spec', 'selector', 'matchLabels');
    assert.deepEqual(spread?.['labelSelector'], { matchLabels: labels });
    const volumes = one(objects, 'Deployment').at('spec', 'template', 'spec', 'volumes');
    const data = list(volumes).find(({ name }) => name === 'data');
    assert.deepEqual(data?.['emptyDir'], { sizeLimit: '20G' });
  });

  test('a statefulset has a volume a server and a service without an address', async () => {
    const objects = await rendered('several with a volume each');
    const set = one(objects, 'StatefulSet');
    assert.equal(set.at('spec', 'volumeClaimTemplates', 0, 'metadata', 'name'), 'data');
    assert.equal(set.at('spec', 'persistentVolumeClaimRetentionPolicy', 'whenDeleted'), 'Retain');
    const headless = one(objects, 'Service', String(set.at('spec', 'serviceName')));
    assert.equal(headless.at('spec', 'clusterIP'), 'None');
    assert.equal(one(objects, 'PodDisruptionBudget').at('spec', 'minAvailable'), 0);
    assert.ok(objects.every(({ kind }) => kind !== 'PersistentVolumeClaim'));
  });

  test('a daemonset answers at a port of its node, and has no budget for disruptions', async () => {
    const objects = await rendered('on every node');
    const set = one(objects, 'DaemonSet');
    const port = set.at('spec', 'template', 'spec', 'containers', 0, 'ports', 0) as Fields;
    assert.deepEqual([port['hostPort'], port['hostIP']], [8080, '127.0.0.1']);
    assert.equal(set.at('spec', 'replicas'), undefined);
    assert.ok(objects.every(({ kind }) => kind !== 'PodDisruptionBudget'));
  });

  test("a folder of the node becomes the user's, by the one container that may", async () => {
    const [own, next] = containersOf(one(await rendered('a folder of the node'), 'Deployment'));
    assert.equal(own?.name, 'own');
    assert.deepEqual(own.securityContext?.['capabilities'], { drop: ['ALL'], add: ['CHOWN'] });
    assert.equal(next?.name, 'first');
  });

  test('ways in', async () => {
    const nodePort = one(await rendered('by the port of the nodes'), 'Service');
    assert.equal(nodePort.at('spec', 'trafficDistribution'), 'PreferSameNode');
    assert.equal(nodePort.at('spec', 'ports', 0, 'nodePort'), 30_500);
    const objects = await rendered('by ingress and gateway');
    const service = one(objects, 'Service');
    const rule = one(objects, 'Ingress').at('spec', 'rules', 0) as Fields;
    assert.equal(rule['host'], 'mirror.example.com');
    const route = one(objects, 'HTTPRoute');
    assert.deepEqual(route.at('spec', 'rules', 0, 'backendRefs', 0), {
      name: service.name,
      port: service.at('spec', 'ports', 0, 'port'),
    });
  });

  test('who has to show a certificate is asked from inside', async () => {
    for (const [name, scheme] of [
      ['TLS', 'HTTPS'],
      ['nothing but the image', 'HTTP'],
    ] as const) {
      const { at } = one(await rendered(name), 'Deployment');
      const probe = at('spec', 'template', 'spec', 'containers', 0, 'readinessProbe', 'httpGet');
      assert.deepEqual(probe, { path: '/readyz', port: 'http', scheme });
    }
    const guarded = one(await rendered('TLS for those with a certificate'), 'Deployment');
    const command = guarded.at(
      'spec',
      'template',
      'spec',
      'containers',
      0,
      'livenessProbe',
      'exec',
      'command',
    );
    assert.equal(list(command).length > 0 && String(command).includes(',health,'), true);
  });

  test('logins come from secrets and are nowhere else', async () => {
    const objects = await rendered('logins of upstreams');
    const text = configIn(objects);
    const pod = one(objects, 'Deployment').at('spec', 'template', 'spec') as Fields;
    const secrets = list(pod['volumes']).flatMap(({ secret }) =>
      secret === undefined ? [] : [secret as Fields],
    );
    assert.deepEqual(
      secrets.map(({ secretName }) => secretName),
      ['hub', 'lan', 'pull-secret'],
    );
    assert.match(text, /freshFor: 1h/);
    assert.match(text, /username: robot\$x/);
    const [first] = list(pod['containers']);
    const mounts = new Set(list(first?.['volumeMounts']).map(({ mountPath }) => mountPath));
    for (const [, file = ''] of text.matchAll(/passwordFile: (\S+)\/password/g)) {
      assert.ok(mounts.has(file), file);
    }
  });

  test('an account has a name of its own, and the labels of all', async () => {
    const account = one(
      await rendered('a release, an account and a label of one name'),
      'ServiceAccount',
      'custom',
    );
    assert.equal(account.at('metadata', 'labels', 'app.kubernetes.io/name'), 'layover');
  });

  test('a closed network is open to those who set up the nodes, who ask by an address with brackets', async () => {
    const objects = await rendered('nodes in a closed network, by an address of IPv6');
    const from = list(one(objects, 'NetworkPolicy').at('spec', 'ingress', 0, 'from'));
    const set = one(objects, 'DaemonSet', 'release-layover-nodes');
    const chosen = from.map(({ podSelector }) => (podSelector as Fields)?.['matchLabels']);
    assert.deepEqual(chosen, [undefined, set.at('spec', 'selector', 'matchLabels')]);
    assert.ok(JSON.stringify(set.whole).includes('"http://[::1]:8080"'));
  });

  test('the way out: proxy and authority', async () => {
    const { at } = one(
      await rendered('a way out through a proxy, behind an authority'),
      'Deployment',
    );
    const env = list(at('spec', 'template', 'spec', 'containers', 0, 'env'));
    assert.deepEqual(Object.fromEntries(env.map(({ name, value }) => [name, value])), {
      NODE_EXTRA_CA_CERTS: '/etc/layover/extra-ca/all.pem',
      HTTP_PROXY: 'http://proxy:3128',
      HTTPS_PROXY: 'http://proxy:3128',
      NO_PROXY: '10.0.0.0/8,.svc',
    });
  });

  test('the rules are those of the file, without what is not wanted and with links', async () => {
    const objects = await rendered('watched');
    const groups = list(one(objects, 'PrometheusRule').at('spec', 'groups'));
    const rules = groups.flatMap(({ rules }) => list(rules));
    const alerts = rules.filter(({ alert }) => alert !== undefined);
    assert.ok(alerts.length > 15);
    assert.ok(alerts.every(({ alert }) => alert !== 'LayoverCacheTooSmall'));
    for (const { alert, annotations } of alerts) {
      const link = (annotations as Fields)['runbook_url'];
      assert.equal(link, `https://docs.example.com/operations#${String(alert).toLowerCase()}`);
    }
    // The job is what the ServiceMonitor makes it.
    const jobs = JSON.stringify(rules).match(/job=\\"[^"]*\\"/g) ?? [];
    assert.deepEqual([...new Set(jobs)], ['job=\\"mirror\\"']);
    const monitor = one(objects, 'ServiceMonitor');
    const label = String(monitor.at('spec', 'jobLabel'));
    assert.equal(one(objects, 'Service').at('metadata', 'labels', label), 'mirror');
    const dashboard = one(objects, 'ConfigMap', 'release-mirror-dashboard');
    const { title } = JSON.parse(String(dashboard.at('data', 'layover.json'))) as Fields;
    assert.equal(title, 'Layover');
  });

  test('nodes are set up by the address that they have, and set back after the release has gone', async () => {
    const objects = await rendered('nodes by their port');
    const set = one(objects, 'DaemonSet', 'release-layover-nodes');
    const [setup] = containersOf(set);
    assert.deepEqual(setup?.args?.slice(-4), [
      '--mirror',
      'http://$(NODE_IP):30500',
      '--ask',
      'http://release-layover.space.svc:8080',
    ]);
    // What SECURITY.md says that it may.
    assert.equal(set.at('spec', 'template', 'spec', 'automountServiceAccountToken'), false);
    const folders = list(set.at('spec', 'template', 'spec', 'volumes'));
    assert.deepEqual(
      folders.flatMap(({ hostPath }) => hostPath ?? []),
      [{ path: '/etc/containerd', type: 'DirectoryOrCreate' }],
    );
    // It goes on doing that.
    assert.deepEqual(containersOf(set)[1]?.args, ['--', ...(setup?.args ?? []), '--quiet']);
    const undo = objects.filter(
      ({ at }) => at('metadata', 'annotations', 'helm.sh/hook') === 'post-delete',
    );
    assert.deepEqual(undo.map(({ kind }) => kind).toSorted(), [
      'ConfigMap',
      'DaemonSet',
      'Job',
      'Role',
      'RoleBinding',
      'ServiceAccount',
    ]);
    const weight = (kind: string) =>
      Number(
        undo
          .find((object) => object.kind === kind)
          ?.at('metadata', 'annotations', 'helm.sh/hook-weight'),
      );
    assert.ok(undo.every(({ kind }) => kind === 'Job' || weight(kind) < weight('Job')));
    const undone = await rendered('nodes that are to be as they were');
    const [back, standby] = containersOf(one(undone, 'DaemonSet', 'release-layover-nodes'));
    assert.equal(back?.args?.at(-1), '--undo');
    assert.equal(standby?.args, undefined);
    const own = await rendered('nodes by their own server');
    assert.ok(
      JSON.stringify(one(own, 'DaemonSet', 'release-layover-nodes').whole).includes(
        '"http://127.0.0.1:5000","--upstream","docker.io"',
      ),
    );
    assert.ok(own.every(({ kind }) => kind !== 'Job'));
  });
});
