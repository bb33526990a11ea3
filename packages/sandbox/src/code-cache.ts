/**
 * V8's compiled form of the runtime's script, kept on disk: reading it is a hundred times cheaper than compiling.
 *
 * D1  The cache is never a reason to fail: what cannot be read, is damaged, or comes from another engine is a miss.
 * D2  Files appear complete or not at all (written aside, then renamed): processes share the directory freely.
 * D3  Compiled code is trusted as the program is, so only files that nobody but this user can write are read.
 * D4  Nothing is written before the process has lived for a while: then the functions that runs use are compiled too,
 *     and starting up is over.
 */
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { Script } from 'node:vm';

const WRITE_AFTER_MS = 1000;
/** A quarter of a megabyte each. */
const MAX_ENTRIES = 8;

/** `perdure/code` in `$XDG_CACHE_HOME`, or in `~/.cache`. */
export function codeCacheDirectory(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'perdure', 'code');
}

/**
 * Compiles the script of a file of ours.
 * @param file  its path; with its size and time it stands for the content
 * @param filename  its name in stacks
 */
export function compileCached(file: string, filename: string, directory = codeCacheDirectory()): Script {
  const source = readFileSync(file, 'utf8');
  const entry = join(directory, `${keyOf(file)}.bin`);
  const cachedData = read(entry);
  const script = new Script(source, { filename, cachedData });
  if (cachedData === undefined || script.cachedDataRejected === true) {
    setTimeout(() => write(directory, entry, script), WRITE_AFTER_MS).unref(); // D4
  }
  return script;
}

/** V8 itself compares its version, its flags and the length of the source. */
function keyOf(file: string): string {
  const { size, mtimeMs } = statSync(file);
  const text = [file, size, mtimeMs, process.version, process.arch].join('|');
  return `runtime-${checksum(Buffer.from(text)).toString(16)}-${size}-${process.version}-${process.arch}`;
}

function read(entry: string): Buffer | undefined {
  try {
    const { uid, mode } = statSync(entry);
    if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o022) !== 0)) return undefined; // D3
    const bytes = readFileSync(entry);
    const data = bytes.subarray(8);
    if (bytes.length > 8 && bytes.readDoubleLE(0) === checksum(data)) return data;
    remove(entry);
  } catch {
    // D1
  }
  return undefined;
}

function write(directory: string, entry: string, script: Script): void {
  const aside = `${entry}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`;
  try {
    const data = script.createCachedData();
    const head = Buffer.alloc(8);
    head.writeDoubleLE(checksum(data), 0);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    writeFileSync(aside, Buffer.concat([head, data]), { mode: 0o600 });
    renameSync(aside, entry); // D2
    prune(directory);
  } catch {
    remove(aside);
  }
}

/** Entries of files that are gone are known by nobody, so the oldest go. */
function prune(directory: string): void {
  const entries = readdirSync(directory)
    .map((name) => join(directory, name))
    .map((path) => ({ path, writtenAt: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.writtenAt - a.writtenAt);
  for (const { path } of entries.slice(MAX_ENTRIES)) remove(path);
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // D1
  }
}

/** Tells damage, not malice (D3): two sums of 32 bits, fast without a library. */
function checksum(bytes: Uint8Array): number {
  let a = bytes.length | 0;
  let b = 0x9e3779b9 | 0;
  for (let i = 0; i < bytes.length; i++) {
    a = Math.imul(a ^ bytes[i]!, 0x01000193);
    b = (b + a) | 0;
  }
  return (a >>> 0) * 0x100000 + (b & 0xfffff);
}
