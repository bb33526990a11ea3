/**
 * `node tests/frameworks/run.mjs [PROJECT...]`: the testing package under every test runner, installed from tarballs.
 *
 * F1  The projects know nothing of the checkout: they are copied to the system's temp folder, and the only Perdure they
 *     can reach is the one that was packed.
 * F2  A project passes when its runner says that exactly its test files' tests have passed: a runner that finds no test
 *     has failed.
 * F3  The projects are one workspace, installed once: what is installed is the same, in a fifth of the time.
 */
import { cp, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must, npmCommand } from '../../scripts/tools/exec.mjs';
import { installPacked, packAll, remove } from '../../scripts/tools/pack.mjs';
import { setUp } from '../../scripts/tools/setup.mjs';
import { Tally } from '../../scripts/tools/tally.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));

/** F2: what each runner prints about two files of one test each. */
const PROJECTS = {
  'jest-commonjs': /^Tests: +2 passed, 2 total$/m,
  'jest-esm': /^Tests: +2 passed, 2 total$/m,
  vitest: /^ *Tests +2 passed \(2\)$/m,
  mocha: /^ +2 passing \(/m,
  'node-test': /^# pass 2$[\s\S]*^# fail 0$/m,
};

/** Scripts that print a table of what was covered. */
const COVERED = [
  ['jest-commonjs', 'coverage'],
  ['jest-commonjs', 'coverage:v8'],
  ['vitest', 'coverage'],
  ['node-test', 'coverage'],
];
/** `greeting` and `polite` have run, `farewell` and `rude` have not; `rude` is not even in the bundle. */
const COVERAGE_ROWS = [
  /workflows\.ts +\|[^|]*\|[^|]*\|[^|]*\|[^|]*\| *1[6-8](-1[89])? *$/m,
  /helpers\.ts +\|[^|]*\|[^|]*\|[^|]*\|[^|]*\| *7-9 *$/m,
];

await setUp();
const tally = new Tally('test frameworks');
const scratch = await mkdtemp(join(tmpdir(), 'perdure-frameworks-'));
const wanted = process.argv.slice(2);
const names = Object.keys(PROJECTS).filter((name) => wanted.length === 0 || wanted.includes(name));
try {
  const workspace = join(scratch, 'workspace');
  await tally.check('install from tarballs', async () => {
    const packed = await packAll(join(scratch, 'tarballs'));
    const dependencies = {};
    for (const name of names) Object.assign(dependencies, await copyProject(name, join(workspace, name)));
    const ours = Object.keys(dependencies).filter((name) => packed.has(name));
    const theirs = Object.entries(dependencies).filter(([name]) => !packed.has(name));
    await installPacked(workspace, packed, {
      name: 'frameworks',
      packages: ours,
      extra: Object.fromEntries(theirs),
    });
    return `${names.length} projects`;
  });
  if (tally.failed === 0) {
    for (const name of names) await tally.check(name, () => testProject(name));
    for (const [name, script] of COVERED.filter(([name]) => names.includes(name)))
      await tally.check(`${script} of workflows under ${name}`, () => coverProject(name, script));
  }
} finally {
  await remove(scratch);
}
tally.end();

/** F1 @returns {Promise<Record<string, string>>} what the project needs */
async function copyProject(name, dir) {
  await cp(join(here, name), dir, { recursive: true });
  for (const file of await readdir(join(here, 'common')))
    await cp(join(here, 'common', file), join(dir, file));
  const manifest = JSON.parse(await readFile(join(dir, 'package.json'), 'utf8'));
  const { dependencies, devDependencies, ...rest } = manifest;
  await writeFile(join(dir, 'package.json'), `${JSON.stringify(rest, null, 2)}\n`); // F3
  return { ...dependencies, ...devDependencies };
}

async function npmRun(name, script) {
  const { output } = await must([...npmCommand(), 'run', script], {
    cwd: join(scratch, 'workspace', name),
    env: { FORCE_COLOR: '0', NO_COLOR: '1', PERDURE_TEST_SERVER: '', NODE_OPTIONS: '' },
    quiet: true,
    timeoutMs: 300_000, // for what hangs
  });
  return output;
}

async function coverProject(name, script) {
  const output = await npmRun(name, script);
  const rows = COVERAGE_ROWS.map((row) => row.exec(output)?.[0]);
  if (rows.includes(undefined))
    throw new Error(`it does not say which lines of workflows have run:\n${output}`);
  return rows.map((row) => row.trim().replace(/\s+/g, ' ')).join('; ');
}

async function testProject(name) {
  const output = await npmRun(name, 'test');
  if (!PROJECTS[name].test(output)) throw new Error(`it has not run its two tests:\n${output}`);
  return '2 tests';
}
