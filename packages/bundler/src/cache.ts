/**
 * Finished bundles on disk, found again by what went into them.
 *
 * An entry is one file: a line of JSON (inputs, hashes, lengths), then the script, then the source map.
 * C1  An entry is used only while every input is as it was: content, kind, link target, absence.
 * C2  Files appear complete or not at all (written aside, then renamed): processes share the directory freely.
 * C3  An entry whose content does not have the hash it was stored with is removed and built anew.
 * C4  The cache is never a reason to fail: what cannot be read or written is a miss.
 * C5  Nothing here loads rollup or the transformer.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { hashContent, type InputRecord, kindOf, stampOf } from './inputs';

/** What is kept of a bundle. */
export interface CachedBundle {
  readonly script: string;
  readonly sourceMap: string;
  readonly hash: string;
  readonly workflowTypes: readonly string[];
  readonly warnings: readonly object[];
  readonly inputFiles: readonly string[];
}

interface Header {
  readonly scriptBytes: number;
  readonly sourceMapBytes: number;
  readonly contentHash: string;
  readonly hash: string;
  readonly workflowTypes: readonly string[];
  readonly warnings: readonly object[];
  readonly inputs: readonly InputRecord[];
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
}

/** States of the same sources that are kept side by side, as when branches are switched. */
const MAX_VARIANTS = 4;

/** File systems tell times apart by at most this. A file touched this close to a look at it is read again. */
const CLOCK_GRAIN_MS = 50;

export class BundleCache {
  constructor(
    private readonly directory: string,
    private readonly maxBytes: number,
  ) {}

  /** @param key  of everything but the inputs: versions and options */
  read(key: string): CachedBundle | undefined {
    const folder = path.join(this.directory, key);
    const seen = new Map<string, boolean>();
    for (const name of this.variants(folder)) {
      const file = path.join(folder, name);
      const entry = readEntry(file, (header) =>
        header.inputs.every((input) => stillHolds(input, header.createdAt, seen)),
      );
      if (entry === 'corrupt')
        remove(file); // C3
      else if (entry !== undefined) {
        touch(file);
        return entry;
      }
    }
    return undefined;
  }

  write(key: string, bundle: CachedBundle, inputs: readonly InputRecord[], createdAt: number): void {
    const folder = path.join(this.directory, key);
    const script = Buffer.from(bundle.script);
    const sourceMap = Buffer.from(bundle.sourceMap);
    const header: Header = {
      scriptBytes: script.length,
      sourceMapBytes: sourceMap.length,
      contentHash: contentHash(script, sourceMap),
      hash: bundle.hash,
      workflowTypes: bundle.workflowTypes,
      warnings: bundle.warnings,
      inputs,
      createdAt,
    };
    const variant = hashContent(
      JSON.stringify(inputs.map((input) => ('stamp' in input ? { ...input, stamp: undefined } : input))),
    ).slice(0, 22);
    const file = path.join(folder, `${variant}.bundle`);
    const aside = path.join(folder, `.${variant}.${process.pid}.${Math.random().toString(36).slice(2)}.tmp`);
    try {
      fs.mkdirSync(folder, { recursive: true });
      fs.writeFileSync(aside, Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), script, sourceMap]));
      fs.renameSync(aside, file); // C2
    } catch {
      remove(aside); // C4
      return;
    }
    this.prune(folder);
  }

  /** Entries of a folder, the one used last first. */
  private variants(folder: string): string[] {
    try {
      return fs
        .readdirSync(folder)
        .filter((name) => name.endsWith('.bundle'))
        .map((name) => ({ name, usedAt: fs.statSync(path.join(folder, name)).mtimeMs }))
        .sort((a, b) => b.usedAt - a.usedAt)
        .map(({ name }) => name);
    } catch {
      return [];
    }
  }

  private prune(folder: string): void {
    try {
      for (const name of this.variants(folder).slice(MAX_VARIANTS)) remove(path.join(folder, name));
      const files: { file: string; bytes: number; usedAt: number }[] = [];
      for (const key of fs.readdirSync(this.directory)) {
        const at = path.join(this.directory, key);
        if (!fs.statSync(at).isDirectory()) continue;
        for (const name of fs.readdirSync(at)) {
          const stat = fs.statSync(path.join(at, name), { throwIfNoEntry: false });
          if (stat === undefined) continue;
          const file = path.join(at, name);
          // Left behind by a process that ended in the middle of writing.
          if (name.endsWith('.tmp') && Date.now() - stat.mtimeMs > 60_000) remove(file);
          else if (name.endsWith('.bundle')) files.push({ file, bytes: stat.size, usedAt: stat.mtimeMs });
        }
      }
      let bytes = files.reduce((sum, entry) => sum + entry.bytes, 0);
      files.sort((a, b) => a.usedAt - b.usedAt);
      for (const entry of files.slice(0, -1)) {
        if (bytes <= this.maxBytes) break;
        remove(entry.file);
        bytes -= entry.bytes;
      }
    } catch {
      // C4: another process prunes at the same time
    }
  }
}

function contentHash(script: Uint8Array, sourceMap: Uint8Array): string {
  return `${hashContent(script)}.${hashContent(sourceMap)}`;
}

function readEntry(file: string, holds: (header: Header) => boolean): CachedBundle | 'corrupt' | undefined {
  let bytes: Buffer;
  try {
    bytes = fs.readFileSync(file);
  } catch {
    return undefined;
  }
  const lineEnd = bytes.indexOf(10);
  let header: Header;
  try {
    header = JSON.parse(bytes.toString('utf8', 0, Math.max(0, lineEnd))) as Header;
    if (bytes.length !== lineEnd + 1 + header.scriptBytes + header.sourceMapBytes) return 'corrupt';
    const script = bytes.subarray(lineEnd + 1, lineEnd + 1 + header.scriptBytes);
    const sourceMap = bytes.subarray(lineEnd + 1 + header.scriptBytes);
    if (!holds(header)) return undefined;
    if (contentHash(script, sourceMap) !== header.contentHash) return 'corrupt';
    return {
      script: script.toString('utf8'),
      sourceMap: sourceMap.toString('utf8'),
      hash: header.hash,
      workflowTypes: header.workflowTypes,
      warnings: header.warnings,
      inputFiles: header.inputs.filter((input) => 'hash' in input).map((input) => input.path),
    };
  } catch {
    return 'corrupt';
  }
}

/** C1 for one input; `seen` spares looking twice when several entries are tried. */
function stillHolds(input: InputRecord, createdAt: number, seen: Map<string, boolean>): boolean {
  const key = JSON.stringify(input);
  let holds = seen.get(key);
  if (holds === undefined) {
    try {
      holds = checkInput(input, createdAt);
    } catch {
      holds = !('hash' in input) && 'kind' in input && input.kind === 'absent';
    }
    seen.set(key, holds);
  }
  return holds;
}

function checkInput(input: InputRecord, createdAt: number): boolean {
  if ('target' in input) return fs.realpathSync.native(input.path) === input.target;
  if ('kind' in input) return kindOf(input.path) === input.kind;
  const stat = fs.statSync(input.path, { throwIfNoEntry: false });
  if (stat === undefined || !stat.isFile()) return false;
  const [size, mtimeMs, ctimeMs, inode] = input.stamp;
  const now = stampOf(stat);
  const untouched = now[0] === size && now[1] === mtimeMs && now[2] === ctimeMs && now[3] === inode;
  if (untouched && ctimeMs < createdAt - CLOCK_GRAIN_MS) return true;
  return now[0] === size && hashContent(fs.readFileSync(input.path)) === input.hash;
}

function remove(file: string): void {
  try {
    fs.rmSync(file, { force: true });
  } catch {
    // C4
  }
}

function touch(file: string): void {
  try {
    const now = new Date();
    fs.utimesSync(file, now, now);
  } catch {
    // C4: a cache that cannot be written still serves
  }
}
