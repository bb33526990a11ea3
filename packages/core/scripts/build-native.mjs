/**
 * Builds the addon with cargo and puts it where a checkout's loader looks: native/perdure.node.
 *
 *   node scripts/build-native.mjs [--target TRIPLE] [--out FILE]
 *
 * CARGO_TARGET_DIR is ~/.cache/perdure/cargo-target unless it is set: a build from nothing takes minutes, and a
 * fresh clone need not pay it again.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, renameSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const core = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const root = resolve(core, '..', '..');
const { values } = parseArgs({ options: { target: { type: 'string' }, out: { type: 'string' } } });

const targetDir = process.env.CARGO_TARGET_DIR || join(homedir(), '.cache', 'perdure', 'cargo-target');
const args = ['build', '--release', '-p', 'perdure-node', '--locked'];
if (values.target) args.push('--target', values.target);
const built = spawnSync('cargo', args, {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, CARGO_TARGET_DIR: targetDir },
});
if (built.error?.code === 'ENOENT') {
  console.error('cargo is not installed: the native addon needs Rust 1.88 or newer, see https://rustup.rs');
  process.exit(1);
}
if (built.status !== 0) process.exit(built.status ?? 1);

const system = values.target ?? process.platform;
const library =
  /win/.test(system) && !/darwin/.test(system)
    ? 'perdure_node.dll'
    : /darwin|apple/.test(system)
      ? 'libperdure_node.dylib'
      : 'libperdure_node.so';
const from = join(targetDir, ...(values.target ? [values.target] : []), 'release', library);
const to = resolve(values.out ?? join(core, 'native', 'perdure.node'));
mkdirSync(dirname(to), { recursive: true });
// Renamed into place: a process that has the old file mapped keeps it.
copyFileSync(from, `${to}.tmp`);
renameSync(`${to}.tmp`, to);
console.log(`${to}: ${(statSync(to).size / 1e6).toFixed(1)} MB`);
