/**
 * Patches: changing workflow code while runs of the old code are still open.
 *
 * V1  Outside replay a patch is always there; on replay only if the history has its marker.
 * V2  The command for a patch is emitted once per run instance and patch.
 */
import { emit } from './commands';
import { type Run, requireWritableRun } from './runtime/run';

/**
 * Whether the run was begun with, or has by now reached, code that has this patch.
 * @param patchId any text; all calls with the same text are one patch and answer alike
 */
export function patched(patchId: string): boolean {
  return check(requireWritableRun('patched()'), patchId, false);
}

/** Says that every open run has the patch: the old branch is gone from the code, the marker stays. */
export function deprecatePatch(patchId: string): void {
  check(requireWritableRun('deprecatePatch()'), patchId, true);
}

/** `patched` for the runtime's own changes of behaviour. */
export function patchedInternally(run: Run, patchId: string): boolean {
  return check(run, patchId, false);
}

function check(run: Run, patchId: string, deprecated: boolean): boolean {
  const present = !run.replaying || run.knownPatches?.has(patchId) === true; // V1
  if (present && run.sentPatches?.has(patchId) !== true) {
    emit(run, { setPatchMarker: { patchId, deprecated } });
    run.sentPatches ??= new Set(); // V2
    run.sentPatches.add(patchId);
  }
  return present;
}

/** Applies a NotifyHasPatch job. */
export function notifyHasPatch(run: Run, patchId: string): void {
  run.knownPatches ??= new Set();
  run.knownPatches.add(patchId);
}
