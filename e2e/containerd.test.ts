import { containerd } from './clients/containerd.ts';
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
});
