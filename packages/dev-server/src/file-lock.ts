/**
 * A lock between processes, kept as a file that names its holder.
 *
 * L1  At most one live process holds a lock file; one left behind by a dead process is taken over.
 */
import { open, readFile, rename, stat, unlink } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';

/** A lock whose holder cannot be seen (another host, another container) is believed dead after this time. */
const STALE_MS = 10 * 60_000;
const POLL_MS = 50;

async function holderIsGone(path: string): Promise<boolean> {
  let pid: number;
  try {
    pid = Number.parseInt(await readFile(path, 'utf8'), 10);
    if (Date.now() - (await stat(path)).mtimeMs > STALE_MS) return true;
  } catch {
    return false; // gone by itself: the next attempt to create it decides
  }
  if (!Number.isInteger(pid)) return false; // just created, the pid is not written yet
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}

/** Runs `fn` while holding the lock file at `path`; waits for as long as another live process holds it. */
export async function withFileLock<T>(path: string, fn: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await holderIsGone(path)) {
      // Renamed, not removed: of several waiters that see the dead holder only one succeeds (L1).
      const grave = `${path}.${process.pid}.${Date.now()}`;
      await rename(path, grave).then(
        () => unlink(grave),
        () => {},
      );
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
