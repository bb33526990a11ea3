/**
 * A lock between processes, kept as a file that names its holder.
 *
 * L1  At most one live process holds a lock file; one left behind by a dead process is taken over.
 */
import { writeFileSync } from 'node:fs';
import { link, readFile, rename, stat, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A lock whose holder cannot be seen (another host, another container) is believed dead after this time. */
const STALE_MS = 10 * 60_000;
/** A lock without a pid belongs to a process that was killed in the instant of taking it. */
const NAMELESS_MS = 30_000;
const POLL_MS = 50;

/** What a lock file says whose holder does not live any more; undefined where one may. */
async function textOfDeadHolder(path: string): Promise<string | undefined> {
  let text: string;
  let ageMs: number;
  try {
    text = await readFile(path, 'utf8');
    ageMs = Date.now() - (await stat(path)).mtimeMs;
  } catch {
    return undefined; // gone by itself: the next attempt to create it decides
  }
  const pid = Number.parseInt(text, 10);
  if (ageMs > (Number.isInteger(pid) ? STALE_MS : NAMELESS_MS)) return text;
  if (!Number.isInteger(pid)) return undefined;
  try {
    process.kill(pid, 0);
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH' ? text : undefined;
  }
}

/** L1: of several waiters that see the same dead holder, one removes its lock, and none that of a successor. */
async function bury(path: string, textOfDead: string): Promise<void> {
  const grave = `${path}.${process.pid}.${Date.now()}`;
  try {
    await rename(path, grave);
  } catch {
    return; // another one was faster
  }
  if ((await readFile(grave, 'utf8')) !== textOfDead) await link(grave, path).catch(() => {}); // it was a successor's
  await unlink(grave);
}

/** Runs `fn` while holding the lock file at `path`; waits for as long as another live process holds it. */
export async function withFileLock<T>(path: string, fn: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      writeFileSync(path, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const textOfDead = await textOfDeadHolder(path);
    if (textOfDead !== undefined) {
      await bury(path, textOfDead);
      continue;
    }
    await sleep(POLL_MS);
  }
  try {
    return await fn();
  } finally {
    await unlink(path).catch(() => {});
  }
}
