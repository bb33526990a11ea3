/**
 * The bundler's only way to the file system: every answer that influenced a bundle is remembered.
 *
 * Owns    the list of inputs of one build, from which the disk cache tells whether a bundle is still valid.
 * I1  Whatever is asked here (content, kind, link target, absence) is recorded, and nothing else is asked elsewhere.
 * I2  One build sees each path in one state: answers are remembered for its duration.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';

/** What a path was when it was looked at. */
export type PathKind = 'file' | 'directory' | 'absent';

/** One fact about the file system that a build relied on. */
export type InputRecord =
  /** The file had this content; `stamp` lets a later look be skipped when nothing touched the file. */
  | { readonly path: string; readonly hash: string; readonly stamp: FileStamp }
  | { readonly path: string; readonly kind: PathKind }
  | { readonly path: string; readonly target: string };

/** Size, modification and change time (ms) and inode of a file. */
export type FileStamp = readonly [size: number, mtimeMs: number, ctimeMs: number, inode: number];

export function hashContent(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url');
}

export function stampOf(stat: fs.Stats): FileStamp {
  return [stat.size, stat.mtimeMs, stat.ctimeMs, stat.ino];
}

export function kindOf(path: string): PathKind {
  const stat = fs.statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? 'absent' : stat.isFile() ? 'file' : stat.isDirectory() ? 'directory' : 'absent';
}

function safeKindOf(path: string): PathKind {
  try {
    return kindOf(path);
  } catch {
    return 'absent'; // ENOTDIR, EACCES, ELOOP, a name too long: there is no module to be had
  }
}

/** Reads for one build and remembers what it was told. */
export class Inputs {
  private readonly kinds = new Map<string, PathKind>();
  private readonly contents = new Map<string, string>();
  private readonly hashes = new Map<string, { hash: string; stamp: FileStamp }>();
  private readonly links = new Map<string, string>();

  kind(path: string): PathKind {
    let kind = this.kinds.get(path);
    if (kind === undefined) {
      kind = safeKindOf(path);
      this.kinds.set(path, kind);
    }
    return kind;
  }

  isFile(path: string): boolean {
    return this.kind(path) === 'file';
  }

  isDirectory(path: string): boolean {
    return this.kind(path) === 'directory';
  }

  /** Content as UTF-8, without a byte order mark. The file must exist. */
  read(path: string): string {
    let content = this.contents.get(path);
    if (content === undefined) {
      // The stamp is taken first: a change between the two makes the stamp stale, never the hash.
      const stat = fs.statSync(path);
      const bytes = fs.readFileSync(path);
      this.hashes.set(path, { hash: hashContent(bytes), stamp: stampOf(stat) });
      content = bytes.toString('utf8');
      if (content.charCodeAt(0) === 0xfeff) content = content.slice(1);
      this.contents.set(path, content);
      this.kinds.set(path, 'file');
    }
    return content;
  }

  /** Content, or undefined when there is no such file. */
  readIfFile(path: string): string | undefined {
    return this.isFile(path) ? this.read(path) : undefined;
  }

  /** Hash of a file's content. */
  hash(path: string): string {
    this.read(path);
    return this.hashes.get(path)!.hash;
  }

  /** The path with all symbolic links followed. */
  realPath(path: string): string {
    let target = this.links.get(path);
    if (target === undefined) {
      try {
        target = fs.realpathSync.native(path);
      } catch {
        target = path;
      }
      this.links.set(path, target);
    }
    return target;
  }

  /** Everything this build relied on, in a stable order. */
  records(): InputRecord[] {
    const records: InputRecord[] = [];
    for (const [path, { hash, stamp }] of this.hashes) records.push({ path, hash, stamp });
    for (const [path, kind] of this.kinds) if (!this.hashes.has(path)) records.push({ path, kind });
    for (const [path, target] of this.links) if (path !== target) records.push({ path, target });
    return records.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  }

  /** Files whose content took part. */
  files(): string[] {
    return [...this.hashes.keys()].sort();
  }
}
