import assert from 'node:assert/strict';
import { containerd } from './clients/containerd.ts';
import { largest } from './lib/largest.ts';
import { pulls } from './lib/pulls.ts';

await pulls('containerd', (options) => containerd(options));
await pulls('containerd', (options) => containerd(options, { pull: ['--local'] }), {
  manner: 'without the transfer service',
  since: 2,
});
const transfer = 'max_concurrent_downloads = 4\nconcurrent_layer_fetch_buffer = 1048576';
await pulls('containerd', (options) => containerd(options, { transfer }), {
  manner: 'in parallel ranges',
  since: 2,
  sign: (world) => {
    const { digest } = largest(world.shelf['ghcr.io/org/large:v1'].blobs);
    const parts = world.layover.process
      .lines()
      .filter((line) => line.includes(`/blobs/${digest}`) && line.includes('"status":206'));
    assert.ok(parts.length > 3, `${parts.length} ranges of the large blob were asked for`);
  },
});
