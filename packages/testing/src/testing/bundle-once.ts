/**
 * A test file's share of bundling, in a process of its own: prints what of the processor's time it took, loading the
 * bundler included, and what loading all else took, as a measure of the machine.
 */
import { bundleWorkflowCode, DefaultLogger } from '@perdure/worker';
import { workflowsPath } from './support';

const millisecondsOf = ({ user, system }: NodeJS.CpuUsage) => (user + system) / 1000;

async function main() {
  const begin = process.cpuUsage();
  const { hash } = await bundleWorkflowCode({ workflowsPath, logger: new DefaultLogger('ERROR') });
  const bundleMs = millisecondsOf(process.cpuUsage(begin));
  const loaded = Object.keys(require.cache);
  const builds = loaded.some((file) => /[\\/]node_modules[\\/]rollup[\\/]/.test(file));
  process.stdout.write(JSON.stringify({ loadMs: millisecondsOf(begin), bundleMs, hash, builds }));
}

void main();
