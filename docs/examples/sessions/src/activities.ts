import { randomUUID } from 'node:crypto';
import { mkdtempSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { log, sleep } from '@perdure/activity';

/** Stands for the disk of this host: no other process knows it. */
const disk = mkdtempSync(join(tmpdir(), 'perdure-sessions-'));

/** @returns name of the file on this host's disk */
export async function download(text: string, takesMs: number): Promise<string> {
  log.info('downloading');
  await sleep(takesMs);
  const file = randomUUID();
  await writeFile(join(disk, file), text);
  return file;
}

export async function upperCase(file: string): Promise<void> {
  await writeFile(join(disk, file), (await readFile(join(disk, file), 'utf8')).toUpperCase());
}

export async function countLines(file: string): Promise<number> {
  return (await readFile(join(disk, file), 'utf8')).split('\n').length;
}
