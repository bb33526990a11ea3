/**
 * Brings a fresh clone to the state in which everything runs.
 *
 * S1  Needs Node.js, Rust and (for the dev server) Python, nothing else; says at once what is missing.
 * S2  Does nothing that has been done: a second run with nothing changed takes about a second.
 * S3  Uses only what Node.js brings until the dependencies are installed.
 */
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { ensureAddon } from './addon.mjs';
import { run } from './exec.mjs';
import { npmInstall } from './npm.mjs';
import { cacheDir, cargoTargetDir, packageBin, readJson, root } from './paths.mjs';

const MIN_NODE = [20, 19];

/**
 * Installs dependencies and builds all packages, the native addon included.
 * @param {(line: string) => void} say gets a line before each step that takes time
 */
export async function setUp(say = console.log) {
  checkNode();
  await mkdir(cacheDir, { recursive: true });
  await installDependencies(say);
  await build(say);
}

/** S1 */
export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < MIN_NODE[0] || (major === MIN_NODE[0] && minor < MIN_NODE[1])) {
    throw new Error(`Node.js ${MIN_NODE.join('.')} or newer is needed; this is ${process.versions.node}`);
  }
}

/**
 * Installs what the lock file says, but only when something else is installed.
 *
 * Not `npm ci`: it insists on a lock entry for every platform's optional package, and a registry mirror that lacks one
 * of them can neither give it nor lock it. `npm install --no-save` keeps to the lock as well and writes nothing.
 */
export async function installDependencies(say = console.log, dir = root) {
  if (installedMatchesLock(dir)) return;
  say('Installing npm packages (once, and again when the lock file changes)');
  await npmInstall(dir, ['--no-save', '--ignore-scripts', '--prefer-offline']);
  const difference = installDifference(dir);
  if (difference)
    throw new Error(`npm install has installed something else than the lock file says: ${difference}`);
}

/** Whether what is installed is what the lock file says. */
export const installedMatchesLock = (dir = root) => installDifference(dir) === undefined;

/**
 * Compares the lock file with the record npm keeps in node_modules, so that installs by hand count too.
 * Packages for other platforms are in the first only.
 * @returns {string | undefined} the first difference
 */
export function installDifference(dir = root) {
  const record = join(dir, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return 'nothing is installed';
  const wanted = readJson(join(dir, 'package-lock.json')).packages;
  const installed = readJson(record).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    const found = installed[path];
    if (!path.includes('node_modules/')) continue;
    if (!found && (entry.optional || entry.devOptional || entry.peer)) continue;
    if (!found) return `${path} is not installed`;
    if (entry.link ? !found.link : found.version !== entry.version || found.integrity !== entry.integrity) {
      return `${path} is ${found.version}, locked is ${entry.version}`;
    }
  }
  return undefined;
}

/** Builds the addon, then every package in the order of its dependencies; what has not changed is skipped. */
export async function build(say = console.log) {
  await requireCargo();
  await ensureAddon(say);
  say('Building the packages');
  // One at a time: each build also builds what its tests refer to, and two that write the same file at once have left an
  // empty one in turbo's cache.
  const turbo = [process.execPath, packageBin('turbo'), 'run', 'build', '--concurrency=1'];
  const { code } = await run([...turbo, '--output-logs=errors-only', '--no-update-notifier'], {
    env: { npm_config_loglevel: 'error' },
  });
  if (code !== 0) throw new Error('the packages could not be built; the output above says why');
}

/** S1: one message that says what to do, instead of a failed spawn deep in a build. */
export async function requireCargo() {
  const { code } = await run(['cargo', '--version'], { quiet: true });
  if (code !== 0) {
    throw new Error(
      'Rust is needed to build the native addon and "cargo" was not found: install Rust 1.88 or newer',
    );
  }
  await mkdir(cargoTargetDir, { recursive: true });
}
