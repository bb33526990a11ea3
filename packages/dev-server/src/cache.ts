/**
 * Where installed binaries lie, and how one knows that they are still what was installed.
 *
 * Owns    the layout of the cache directory and the stamp beside each binary.
 * C1  An entry appears under its final name only when complete: it is written aside and renamed.
 * C2  A binary from the cache is used only if it is the one that was checked when it was installed: either its
 *     size, inode and times are those in the stamp (two system calls), or its SHA-256 is (read in full).
 */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { binaryName, platformKey, type Release, type ServerKind } from './releases';

interface Stamp {
  readonly wheelSha256: string;
  readonly binarySha256: string;
  readonly identity: string;
}

/**
 * The directory that holds installed servers: `$XDG_CACHE_HOME/perdure/servers`, else `~/.cache/perdure/servers`
 * (`~/Library/Caches` on macOS).
 */
export function defaultCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  if (env.XDG_CACHE_HOME) return join(env.XDG_CACHE_HOME, 'perdure', 'servers');
  const base =
    process.platform === 'darwin' ? join(homedir(), 'Library', 'Caches') : join(homedir(), '.cache');
  return join(base, 'perdure', 'servers');
}

/** Name of the entry of one release, the same in every process. */
export function entryName(kind: ServerKind, release: Release): string {
  return `${kind}-${release.version}-${platformKey()}`;
}

const stampFile = (entryDir: string) => join(entryDir, 'stamp.json');

async function identityOf(path: string): Promise<string> {
  const { size, ino, mtimeMs, mode } = await stat(path);
  return [size, ino, mtimeMs, mode].join(':');
}

/** SHA-256 of a file in hex, read in a stream. */
export async function sha256File(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk);
  return hash.digest('hex');
}

/** Records that the binary in `entryDir` was checked. Renaming the directory afterwards keeps the stamp valid. */
export async function writeStamp(
  entryDir: string,
  kind: ServerKind,
  wheelSha256: string,
  binarySha256: string,
) {
  const stamp: Stamp = {
    wheelSha256,
    binarySha256,
    identity: await identityOf(join(entryDir, binaryName(kind))),
  };
  await writeFile(stampFile(entryDir), `${JSON.stringify(stamp)}\n`);
}

export type CacheLookup =
  | { kind: 'hit'; path: string }
  | { kind: 'absent' }
  /** Something lies there that is not what was installed. */
  | { kind: 'damaged'; reason: string };

/** Finds a release in the cache and makes sure that it is unchanged. */
export async function lookUp(cacheDir: string, kind: ServerKind, release: Release): Promise<CacheLookup> {
  const entryDir = join(cacheDir, entryName(kind, release));
  const path = join(entryDir, binaryName(kind));
  let stamp: Stamp;
  try {
    stamp = JSON.parse(await readFile(stampFile(entryDir), 'utf8')) as Stamp;
  } catch (error) {
    const exists = await stat(entryDir).then(
      () => true,
      () => false,
    );
    return exists
      ? { kind: 'damaged', reason: `unreadable stamp (${(error as Error).message})` }
      : { kind: 'absent' };
  }
  if (stamp.wheelSha256 !== release.wheelSha256[platformKey()]) {
    return { kind: 'damaged', reason: 'it was installed from another package than the pinned one' };
  }
  let identity: string;
  try {
    identity = await identityOf(path);
  } catch (error) {
    return { kind: 'damaged', reason: (error as Error).message };
  }
  if (identity === stamp.identity) return { kind: 'hit', path }; // C2, the usual way
  if ((await sha256File(path)) !== stamp.binarySha256) {
    return { kind: 'damaged', reason: 'its SHA-256 is not the one recorded when it was installed' };
  }
  await writeStamp(entryDir, kind, stamp.wheelSha256, stamp.binarySha256).catch(() => {}); // a read-only cache works too
  return { kind: 'hit', path };
}
