/**
 * Builds the addon with cargo and puts it where a checkout's loader looks: native/perdure.node.
 *
 *   node scripts/build-native.mjs [--target TRIPLE] [--out FILE] [--profile release|dist]
 *
 * `dist` is what is published: optimised across crates, a fifth smaller, and several times slower to build.
 *
 * CARGO_TARGET_DIR is ~/.cache/perdure/cargo-target unless it is set: a build from nothing takes minutes, and a
 * fresh clone need not pay it again.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, renameSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { sourceHash } from './source-hash.mjs';

const core = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const root = resolve(core, '..', '..');
const { values } = parseArgs({
  options: {
    target: { type: 'string' },
    out: { type: 'string' },
    profile: { type: 'string', default: 'release' },
  },
});

const targetDir = process.env.CARGO_TARGET_DIR || join(homedir(), '.cache', 'perdure', 'cargo-target');
const args = ['build', '--profile', values.profile, '-p', 'perdure-node', '--locked'];
if (values.target) args.push('--target', values.target);
const system = values.target ?? process.platform;
const from = join(targetDir, ...(values.target ? [values.target] : []), values.profile, libraryName(system));
const to = resolve(values.out ?? join(core, 'native', 'perdure.node'));
const hash = sourceHash(root);

// Another checkout may build into the same directory and put its library in the place of ours: then once more.
for (let attempt = 1; ; attempt += 1) {
  build();
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(from, `${to}.tmp`);
  if (readFileSync(`${to}.tmp`).includes(`perdure-source:${hash}`)) break;
  if (attempt === 3) {
    console.error(
      `${from} does not come from the sources of this checkout; set CARGO_TARGET_DIR to a directory of its own`,
    );
    process.exit(1);
  }
}
// Renamed into place: a process that has the old file mapped keeps it.
renameSync(`${to}.tmp`, to);
console.log(`${to}: ${(statSync(to).size / 1e6).toFixed(1)} MB`);

function build() {
  const built = spawnSync('cargo', args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, CARGO_TARGET_DIR: targetDir, PERDURE_SOURCE_HASH: hash },
  });
  if (built.error?.code === 'ENOENT') {
    console.error('cargo is not installed: the native addon needs Rust 1.88 or newer, see https://rustup.rs');
    process.exit(1);
  }
  if (built.status !== 0) process.exit(built.status ?? 1);
}

function libraryName(name) {
  if (/darwin|apple/.test(name)) return 'libperdure_node.dylib';
  return /win/.test(name) ? 'perdure_node.dll' : 'libperdure_node.so';
}
