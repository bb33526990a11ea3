/** A test file's share of bundling, in a process of its own: prints how long it took, loading the bundler included. */
import { bundleWorkflowCode, DefaultLogger } from '@perdure/worker';
import { workflowsPath } from './support';

async function main() {
  const begin = performance.now();
  const { hash } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  const ms = performance.now() - begin;
  const loaded = Object.keys(require.cache);
  const builds = loaded.some((file) => /[\\/]node_modules[\\/]rollup[\\/]/.test(file));
  process.stdout.write(JSON.stringify({ ms, hash, builds }));
}

void main();
