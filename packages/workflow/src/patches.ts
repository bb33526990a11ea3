/**
 * Patches: changing workflow code while runs of the old code are still open.
 *
 * V1  Outside replay a patch is there, unless the worker has decided against it; on replay only if the history has
 *     its marker.
 * V2  The command for a patch is emitted once per run instance and patch.
 * V3  The worker is asked once per run and patch, by `patched` only, and never about a patch that history knows.
 */
import { requireHost } from './async-context';
import { emit } from './commands';
import { type Run, requireWritableRun } from './runtime/run';
import { infoAsJson } from './sinks';

/**
 * Whether the run was begun with, or has by now reached, code that has this patch.
 * @param patchId any text; all calls with the same text are one patch and answer alike
 */
export function patched(patchId: string): boolean {
  const run = requireWritableRun('patched()');
  if (run.worker.registration.decidesPatches && isDeclined(run, patchId)) return false;
  return check(run, patchId, false);
}

/** V3 @throws what the worker's callback threw, as an Error with its text */
function isDeclined(run: Run, patchId: string): boolean {
  if (run.declinedPatches?.has(patchId)) return true;
  if (run.replaying || run.knownPatches?.has(patchId) || run.sentPatches?.has(patchId)) return false;
  const decision = requireHost().decidePatch?.(
    run.worker.registration.worker,
    run.runId,
    patchId,
    infoAsJson(run),
  );
  if (decision === 'no') {
    run.declinedPatches ??= new Set();
    run.declinedPatches.add(patchId);
    return true;
  }
  if (decision?.startsWith(ERROR)) {
    throw new Error(`patchActivationCallback failed: ${decision.slice(ERROR.length)}`);
  }
  return false;
}

/** Says that every open run has the patch: the old branch is gone from the code, the marker stays. */
export function deprecatePatch(patchId: string): void {
  check(requireWritableRun('deprecatePatch()'), patchId, true);
}

/** `patched` for the runtime's own changes of behaviour. */
export function patchedInternally(run: Run, patchId: string): boolean {
  return check(run, patchId, false);
}

const ERROR = 'error: ';

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
