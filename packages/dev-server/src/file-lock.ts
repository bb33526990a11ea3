/**
 * A lock between processes, kept as a file that names its holder.
 *
 * L1  At most one live process holds a lock file; one left behind by a dead process is taken over.
 */
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { readFile, stat, unlink } from 'node:fs/promises';
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

/**
 * L1: of several waiters that see the same dead holder, one at a time looks again and removes its lock, so that none
 * removes that of a successor. Without a pause in between: whoever does it is done at once or dead.
 */
function bury(path: string, textOfDead: string): void {
  const burial = `${path}.burial`;
  try {
    writeFileSync(burial, '', { flag: 'wx' });
  } catch {
    const { mtimeMs = Date.now() } = statSync(burial, { throwIfNoEntry: false }) ?? {};
    if (Date.now() - mtimeMs > NAMELESS_MS) rmSync(burial, { force: true });
    return;
  }
  try {
    if (readFileSync(path, 'utf8') === textOfDead) rmSync(path, { force: true });
  } catch {
    // gone by itself
  } finally {
    rmSync(burial, { force: true });
  }
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
    if (textOfDead === undefined) await sleep(POLL_MS);
    else bury(path, textOfDead);
  }
  try {
    return await fn();
  } finally {
    await unlink(path).catch(() => {});
  }
}
