import assert from 'node:assert/strict';
import type { KubernetesObject } from './chart.ts';

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'Job']);
export type Fields = Readonly<Record<string, unknown>>;
export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly volumeMounts?: readonly { readonly name: string }[];
  readonly securityContext?: Fields;
}

export const list = (value: unknown): readonly Fields[] => (Array.isArray(value) ? value : []);
export const containersOf = (object: KubernetesObject): readonly Container[] =>
  ['initContainers', 'containers'].flatMap((key) => {
    const found = object.at('spec', 'template', 'spec', key);
    return Array.isArray(found) ? (found as Container[]) : [];
  });

/** What holds for every object, whatever the values. */
export function fits(object: KubernetesObject, objects: readonly KubernetesObject[]): void {
  const { kind, name, at } = object;
  if (name === 'extra') return;
  const what = `${kind} ${name}`;
  assert.equal(at('metadata', 'namespace'), 'space', what);
  assert.equal(at('metadata', 'labels', 'app.kubernetes.io/instance'), 'release', what);
  if (kind === 'Service' || kind === 'NetworkPolicy' || kind === 'PodDisruptionBudget') {
    const path = {
      Service: ['selector'],
      NetworkPolicy: ['podSelector', 'matchLabels'],
      PodDisruptionBudget: ['selector', 'matchLabels'],
    }[kind];
    const selector = at('spec', ...path) as Fields;
    const pods = objects.filter(
      (one) =>
        WORKLOADS.has(one.kind) &&
        selects(selector, one.at('spec', 'template', 'metadata', 'labels')),
    );
    assert.equal(pods.length, 1, `${what} selects ${pods.length} workloads`);
  }
  if (kind === 'ServiceMonitor') {
    const labels = at('spec', 'selector', 'matchLabels') as Fields;
    const chosen = objects.filter(
      (one) => one.kind === 'Service' && selects(labels, one.at('metadata', 'labels')),
    );
    assert.equal(chosen.length, 1, `${what} selects ${chosen.length} services`);
  }
  if (WORKLOADS.has(kind)) runs(object);
}

function selects(selector: Fields, labels: unknown): boolean {
  return Object.entries(selector).every(([key, value]) => (labels as Fields)[key] === value);
}

/** Volumes and mounts, and the Pod Security Standard "restricted" for all that is not a node's own matter. */
function runs(object: KubernetesObject): void {
  const { at, kind, name } = object;
  if (kind !== 'Job') {
    assert.ok(
      selects(
        at('spec', 'selector', 'matchLabels') as Fields,
        at('spec', 'template', 'metadata', 'labels'),
      ),
    );
  }
  const pod = at('spec', 'template', 'spec') as Fields;
  const claims = list(at('spec', 'volumeClaimTemplates')).map(
    (claim) => (claim['metadata'] as Fields)['name'],
  );
  const volumes = [...list(pod['volumes']).map((volume) => volume['name']), ...claims];
  assert.equal(new Set(volumes).size, volumes.length, `${kind} ${name}: a volume twice`);
  const mounted = new Set(
    containersOf(object).flatMap(({ volumeMounts = [] }) =>
      volumeMounts.map((mount) => mount.name),
    ),
  );
  assert.deepEqual([...mounted].toSorted(), volumes.map(String).toSorted(), `${kind} ${name}`);
  for (const { name: container, image, securityContext: own = {} } of containersOf(object)) {
    // Those that the values have brought.
    if (image === 'x') continue;
    assert.equal(own['allowPrivilegeEscalation'], false, container);
    assert.equal(own['readOnlyRootFilesystem'], true, container);
    assert.deepEqual((own['capabilities'] as Fields)['drop'], ['ALL'], container);
    if (['own', 'setup', 'keep'].includes(container)) continue;
    assert.deepEqual((own['capabilities'] as Fields)['add'], undefined, container);
    assert.equal((pod['securityContext'] as Fields)['runAsNonRoot'], true, container);
  }
  assert.deepEqual((pod['securityContext'] as Fields)['seccompProfile'], {
    type: 'RuntimeDefault',
  });
}

/** The configuration as it is mounted. */
export function configIn(objects: readonly KubernetesObject[]): string {
  const found = objects.flatMap(({ at }) => at('data', 'layover.yaml') ?? []);
  return found.filter((text) => typeof text === 'string').join('');
}
