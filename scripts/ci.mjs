/**
 * `.ci/run`: runs each entry point a person would run, all of them even when one fails, and adds up their counts.
 *
 * C1  An entry point that ends badly without having counted anything counts as one failure.
 * C2  The last line is "N passed, M failed"; the status is not 0 when M is not 0 or N is 0.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { npmCommand, run } from './tools/exec.mjs';

const STEPS = [
  { title: 'tests', command: [...npmCommand(), 'test'] },
  { title: 'checks', command: [...npmCommand(), 'run', 'check'] },
  { title: 'quick start', command: [...npmCommand(), 'start'], counts: false },
  { title: 'other Node.js versions', command: [...npmCommand(), 'run', 'check:nodes'] },
  { title: 'packed packages', command: [...npmCommand(), 'run', 'check:packages'] },
  { title: 'test frameworks', command: [...npmCommand(), 'run', 'check:frameworks'] },
];
/** No step takes half of this on the slowest machine we know. */
const STEP_TIMEOUT_MS = 35 * 60_000;

const begin = Date.now();
let passed = 0;
let failed = 0;
for (const { title, command, counts = true } of STEPS) {
  console.log(`\n── ${title} ──`);
  const stepBegin = Date.now();
  try {
    const { code, counted } = await step(command, counts);
    if (code !== 0 && counted.failed === 0) counted.failed = 1; // C1
    passed += counted.passed;
    failed += counted.failed;
    console.log(`── ${title}: status ${code} after ${seconds(stepBegin)} s ──`);
  } catch (error) {
    failed += 1; // C1
    console.log(`── ${title}: ${error?.stack ?? error} ──`);
  }
}

console.log(`\nAll steps took ${seconds(begin)} s`);
console.log(`${passed} passed, ${failed} failed`); // C2
process.exit(failed > 0 || passed === 0 ? 1 : 0);

function seconds(since) {
  return Math.round((Date.now() - since) / 1000);
}

async function step(command, counts) {
  const scratch = await mkdtemp(join(tmpdir(), 'perdure-ci-'));
  try {
    const tally = join(scratch, 'tally.json');
    const { code, output } = await run(command, {
      env: { PERDURE_TALLY: tally, CI: 'true' },
      timeoutMs: STEP_TIMEOUT_MS,
    });
    if (output) console.log(output.trim()); // it could not be started, or did not end in time
    const one = { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1 };
    return { code, counted: counts ? await readCounts(tally) : one };
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function readCounts(file) {
  const lines = (await readFile(file, 'utf8').catch(() => '')).split('\n').filter(Boolean);
  const sum = { passed: 0, failed: 0 };
  for (const line of lines) {
    const entry = JSON.parse(line);
    sum.passed += entry.passed;
    sum.failed += entry.failed;
  }
  return sum;
}
