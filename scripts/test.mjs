/**
 * `npm test`: sets up, then runs every test of every package, the integration tests on a real Temporal Server, and
 * the tests of the Rust crates.
 *
 * Arguments go to jest: `npm test -- packages/common` runs one package's tests and leaves Rust out.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must, run } from './tools/exec.mjs';
import { cargoTargetDir, packageBin } from './tools/paths.mjs';
import { typeProjects } from './tools/projects.mjs';
import { setUp } from './tools/setup.mjs';
import { Tally } from './tools/tally.mjs';

const jestArgs = process.argv.slice(2);
const tally = new Tally('tests');
/** Compiling included; a test that hangs must not hang everything. */
const CARGO_TIMEOUT_MS = 20 * 60_000;

await setUp();
await must([process.execPath, packageBin('typescript', 'tsc'), '-b', ...typeProjects()]);

await runJest();
if (jestArgs.length === 0) {
  await runNodeTests();
  await runCargo();
}
tally.end();

/** A suite that cannot even be loaded counts as one failure. */
async function runJest() {
  const scratch = await mkdtemp(join(tmpdir(), 'perdure-jest-'));
  try {
    const report = join(scratch, 'report.json');
    const { code } = await run(
      [
        process.execPath,
        packageBin('jest'),
        '--maxWorkers=2',
        '--json',
        `--outputFile=${report}`,
        ...jestArgs,
      ],
      { env: { FORCE_COLOR: process.stdout.isTTY ? '1' : '0' } },
    );
    const totals = JSON.parse(await readFile(report, 'utf8').catch(() => '{}'));
    const failed = (totals.numFailedTests ?? 0) + (totals.numRuntimeErrorTestSuites ?? 0);
    if (totals.numPendingTests)
      console.log(`${totals.numPendingTests} tests are skipped: that is not allowed`);
    tally.add(totals.numPassedTests ?? 0, failed + (totals.numPendingTests ?? 0) || (code === 0 ? 0 : 1));
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** The repository's own checks have tests, too. They need nothing that is built. */
async function runNodeTests() {
  const { sourceFiles } = await import('./checks/files.mjs');
  const files = (await sourceFiles()).filter((file) => /^(scripts|bench)\/.*\.test\.mjs$/.test(file));
  const { code, output } = await run([process.execPath, '--test', '--test-reporter=tap', ...files], {
    quiet: true,
  });
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  if (code !== 0) console.log(output);
  console.log(`\nTests of scripts/: ${count('pass')} passed and ${count('fail')} failed`);
  tally.add(count('pass'), count('fail') || (code === 0 ? 0 : 1));
}

/**
 * cargo prints one "test result" line per test binary. Our own crates are compiled without optimization here, which
 * takes a quarter of the time; what they depend on is the optimized build that the addon uses.
 */
async function runCargo() {
  // Checkouts share a target directory: while one runs what it has built, no other may build in its place.
  const { withFileLock } = await import('@perdure/dev-server/lib/file-lock.js');
  await withFileLock(join(cargoTargetDir, 'perdure-tests.lock'), cargoTest);
}

async function cargoTest() {
  console.log('\nTests of the Rust crates (cargo test)');
  const unoptimized = ['perdure-hub', 'perdure-node', 'perdure-floor'].flatMap((crate) => [
    '--config',
    `profile.release.package.${crate}.opt-level=0`,
    '--config',
    `profile.release.package.${crate}.debug-assertions=true`,
  ]);
  const { code, output } = await run(
    ['cargo', 'test', ...unoptimized, '--release', '--workspace', '--locked', '--no-fail-fast', '--quiet'],
    { quiet: true, timeoutMs: CARGO_TIMEOUT_MS },
  );
  let failed = 0;
  let passed = 0;
  for (const [, p, f] of output.matchAll(/test result: \w+\. (\d+) passed; (\d+) failed/g)) {
    passed += Number(p);
    failed += Number(f);
  }
  if (code !== 0) console.log(output);
  console.log(`cargo: ${passed} passed, ${failed} failed`.replace(',', ' and'));
  tally.add(passed, failed || (code === 0 ? 0 : 1));
}
