// Measures bundling: `node packages/bundler/bench/bundle.mjs` after a build. Each figure is the median of fresh processes,
// from the call of bundleWorkflowCode to its result, loading of rollup and the transformer included.
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';

const here = path.dirname(fileURLToPath(import.meta.url));
const bundler = path.resolve(here, '..');

const small = `
import { proxyActivities, sleep } from '@perdure/workflow';
interface Activities { greet(name: string): Promise<string> }
const { greet } = proxyActivities<Activities>({ startToCloseTimeout: '1 minute' });
export async function hello(name: string): Promise<string> {
  await sleep(10);
  return await greet(name);
}
`;
const cases = {
  'one small file': small,
  'with date-fns, nanoid (ES modules)': `import { addDays } from 'date-fns'; import { nanoid } from 'nanoid/non-secure';\n${small}export async function b() { return [addDays(new Date(), 1), nanoid()]; }`,
  'with zod': `import { z } from 'zod';\n${small}export async function b(v: unknown) { return z.object({ a: z.string() }).parse(v); }`,
  'with lodash (CommonJS, 540 KB)': `import _ from 'lodash';\n${small}export async function b() { return _.sum([1]); }`,
};

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const folder = fs.mkdtempSync(path.join(bundler, 'bench', '.tmp-'));
const cache = fs.mkdtempSync(path.join(os.tmpdir(), 'perdure-bench-'));
const child = `
const { bundleWorkflowCode } = require(${JSON.stringify(path.join(bundler, 'lib/index.js'))});
const cpu = process.cpuUsage(); const start = process.hrtime.bigint();
bundleWorkflowCode({ workflowsPath: process.argv[1], cache: process.argv[2] ? { directory: process.argv[2] } : false }).then((bundle) => {
  const ms = Number(process.hrtime.bigint() - start) / 1e6; const used = process.cpuUsage(cpu);
  console.log(JSON.stringify({ ms, cpu: (used.user + used.system) / 1e3, bytes: bundle.code.lastIndexOf('//# sourceMappingURL'), fromCache: bundle.fromCache }));
});`;
const measure = (file, directory) =>
  JSON.parse(execFileSync(process.execPath, ['-e', child, file, directory], { cwd: folder }));
try {
  console.log(
    `Node.js ${process.version}, ${os.cpus()[0].model}, ${os.cpus().length} CPUs, ${new Date().toISOString().slice(0, 10)}`,
  );
  console.log('| workflows | script | cold | CPU | from cache |\n| --- | --- | --- | --- | --- |');
  for (const [name, source] of Object.entries(cases)) {
    const file = path.join(folder, `${name.replace(/\W+/g, '-')}.ts`);
    fs.writeFileSync(file, source);
    fs.utimesSync(file, 1, 1);
    const runs = Number(process.argv[2] ?? 7);
    const cold = Array.from({ length: runs }, () => measure(file, ''));
    measure(file, cache);
    const warm = Array.from({ length: runs }, () => measure(file, cache));
    if (!warm.every(({ fromCache }) => fromCache)) throw new Error(`${name} was not cached`);
    const ms = (list, field) => `${median(list.map((run) => run[field])).toFixed(0)} ms`;
    console.log(
      `| ${name} | ${(cold[0].bytes / 1024).toFixed(1)} KB | ${ms(cold, 'ms')} | ${ms(cold, 'cpu')} | ${ms(warm, 'ms')} |`,
    );
  }
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.rmSync(cache, { recursive: true, force: true });
}
