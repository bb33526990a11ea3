/**
 * Where things are: the one place that turns names into paths.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sourceHash } from '../../packages/core/scripts/source-hash.mjs';

/** Root of the checkout. */
export const root = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '');

/** Everything that is worth keeping between clones: cargo's target directory, downloads, recorded servers. */
export const cacheDir = process.env.PERDURE_CACHE_DIR ?? join(homedir(), '.cache', 'perdure');

/** Lies outside the clone, so that the dependencies of the Rust core are compiled once per machine. */
export const cargoTargetDir = process.env.CARGO_TARGET_DIR ?? join(cacheDir, 'cargo-target');

let hash;

/** Environment for every child process: same caches, no stale builds of another clone, no telemetry or update notices. */
export function childEnv(extra = {}) {
  hash ??= sourceHash(root);
  return {
    ...process.env,
    CARGO_TARGET_DIR: cargoTargetDir,
    PERDURE_SOURCE_HASH: hash,
    TURBO_TELEMETRY_DISABLED: '1',
    DO_NOT_TRACK: '1',
    NO_UPDATE_NOTIFIER: '1',
    npm_config_update_notifier: 'false',
    ...extra,
  };
}

/** A file made by an installed package, without going through shims that differ between platforms. */
export function packageBin(name, bin = name.split('/').at(-1)) {
  const dir = join(root, 'node_modules', ...name.split('/'));
  const manifest = readJson(join(dir, 'package.json'));
  const file = typeof manifest.bin === 'string' ? manifest.bin : manifest.bin[bin];
  return join(dir, file);
}

export function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}

/**
 * The packages of the workspace.
 * @returns {{ name: string, short: string, dir: string, manifest: any }[]} sorted by name
 */
export function workspacePackages() {
  const dir = join(root, 'packages');
  return readdirSync(dir)
    .filter((short) => existsSync(join(dir, short, 'package.json')))
    .sort()
    .map((short) => {
      const manifest = readJson(join(dir, short, 'package.json'));
      return { name: manifest.name, short, dir: join(dir, short), manifest };
    });
}
