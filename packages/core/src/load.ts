/**
 * Finds and loads the native addon, once per thread.
 *
 * Owns    where the addon may be, in which order it is looked for, and the check of its version.
 * L1  Loading this module loads nothing else: a lane thread needs the addon and no more.
 * L2  What was tried is told in full when nothing works.
 *
 * Order: PERDURE_NATIVE_PATH; the package of the platform (`@perdure/core-linux-x64-gnu` and so on); the build of a
 * checkout, `native/perdure.node` in this package.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { BatchListener, Native } from './native';

/** What was tried for one place. */
export interface Attempt {
  readonly place: string;
  readonly problem: string;
}

const ROOT = join(__dirname, '..');
/** Platforms that Perdure is released for, as the ends of package names; the first that loads is taken. */
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  'linux-x64': ['linux-x64-gnu', 'linux-x64-musl'],
  'linux-arm64': ['linux-arm64-gnu', 'linux-arm64-musl'],
  'darwin-x64': ['darwin-x64'],
  'darwin-arm64': ['darwin-arm64'],
  'win32-x64': ['win32-x64-msvc'],
};

let loaded: Native | undefined;

/**
 * The addon as it is: its errors are plain errors with a `code`. For lane threads and others who count microseconds.
 * @throws {CoreError} CORE_ADDON_MISSING: no addon can be loaded; CORE_ADDON_MISMATCH: it belongs to another version
 */
export function loadAddon(): Native {
  loaded ??= find(candidates(process.platform, process.arch, process.env.PERDURE_NATIVE_PATH));
  return loaded;
}

/** A listener as the addon takes it: what it throws is an uncaught exception of its thread, and not lost. */
export function guarded(listener: BatchListener): BatchListener {
  return (batch) => {
    try {
      listener(batch);
    } catch (error) {
      setImmediate(() => {
        throw error;
      });
    }
  };
}

interface Candidate {
  readonly place: string;
  load(): Native;
}

function candidates(platform: string, arch: string, override: string | undefined): Candidate[] {
  const file = (path: string, place: string): Candidate => ({
    place,
    load: () => {
      if (!existsSync(path)) throw new Error('no such file');
      return require(path);
    },
  });
  if (override !== undefined && override !== '') {
    return [file(override, `PERDURE_NATIVE_PATH=${override}`)];
  }
  const packages = (SUFFIXES[`${platform}-${arch}`] ?? []).map((suffix): Candidate => {
    const name = `@perdure/core-${suffix}`;
    return { place: name, load: () => require(name) };
  });
  const built = join(ROOT, 'native', 'perdure.node');
  return [...packages, file(built, built)];
}

function find(places: readonly Candidate[]): Native {
  const attempts: Attempt[] = [];
  for (const { place, load } of places) {
    try {
      const native = load();
      checkVersion(native, place);
      return native;
    } catch (error) {
      if ((error as { code?: string }).code === 'CORE_ADDON_MISMATCH') throw error;
      attempts.push({ place, problem: problemOf(error) });
    }
  }
  throw errors().addonMissing(process.platform, process.arch, attempts);
}

function checkVersion(native: Native, place: string): void {
  const expected: string = require('../package.json').version;
  const actual = native.version();
  if (actual !== expected) throw errors().addonMismatch(place, actual, expected);
}

function problemOf(error: unknown): string {
  const { code, message } = error as { code?: string; message?: string };
  if (code === 'MODULE_NOT_FOUND') return 'not installed';
  return (message ?? String(error)).split('\n')[0]!;
}

/** L1 */
function errors(): typeof import('./errors') {
  return require('./errors');
}
