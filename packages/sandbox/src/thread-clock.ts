/**
 * How much processor time a thread has had, read from outside it: a thread that was kept from running has done nothing
 * wrong. Linux only (procfs); elsewhere nothing is known.
 */
import { readFileSync, readlinkSync } from 'node:fs';

/** Of the calling thread, for whoever reads its clock: "PID/task/TID". Undefined where that cannot be known. */
export function ownThread(): string | undefined {
  try {
    const name = readlinkSync('/proc/thread-self');
    return /^\d+\/task\/\d+$/.test(name) ? name : undefined;
  } catch {
    return undefined;
  }
}

/** Times in procfs are in units of USER_HZ, which is 100 on every platform of Node.js. */
const TICK_MS = 10;

/** Milliseconds of processor time that the thread has had, in steps of 10; undefined if that is not known. */
export function cpuMsOf(thread: string | undefined): number | undefined {
  if (thread === undefined) return undefined;
  try {
    const text = readFileSync(`/proc/${thread}/stat`, 'latin1');
    // Fields 14 and 15, counted from 1; field 2 is a name in parentheses that may hold anything.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const ms = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    return ms > 0 ? ms : undefined; // a system that counts nothing says 0; a thread that has started has run
  } catch {
    return undefined;
  }
}
