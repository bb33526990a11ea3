/**
 * Flags of behaviour: how a run may behave differently from its history's beginnings and still replay.
 *
 * Owns    which flag numbers exist, and when one is on.
 * F1  Outside replay a default flag turns on when first asked for and is reported to the core, which records it.
 * F2  On replay a flag is on only if the history says so, or its SDK version is known to have behaved so.
 * F3  Numbers below 1000 are those that the official TypeScript SDK writes; flags of our own begin at 1001. There
 *     is none: workers of the official SDK refuse a history with a flag that they do not know, and a flag would
 *     end an application's way back. Only a behaviour that no history could bear otherwise is worth one.
 */
import type { Run } from './runtime/run';

export const SdkFlag = {
  /** Child scopes of a scope that is not cancellable are not told of cancellations above it. */
  ShieldedScopes: 1,
  /** All jobs of an activation are applied before any promise continues. */
  SingleBatch: 2,
} as const;
export type SdkFlag = (typeof SdkFlag)[keyof typeof SdkFlag];

/** SDK versions that had the first two behaviours but did not record them. */
const UNRECORDED: ReadonlySet<string> = new Set(['1.11.0', '1.11.1']);
const LAST_UNRECORDED = SdkFlag.SingleBatch;

/** Versions that did not record flags did not always record their version either; their build id has it. */
function wasUnrecorded({ lastSdkVersion, history }: Run): boolean {
  const buildId = history.deploymentVersion?.buildId ?? '';
  return UNRECORDED.has(lastSdkVersion) || /^@temporalio\/worker@1\.11\.[01]\+/.test(buildId);
}

/** Whether the run behaves as `flag` says. */
export function hasFlag(run: Run, flag: SdkFlag): boolean {
  const flags = run.flags;
  if (flags.includes(flag)) return true;
  if (run.replaying) return flag <= LAST_UNRECORDED && wasUnrecorded(run); // F2
  flags.push(flag); // F1
  return true;
}

/** Takes over what an activation says about the history. */
export function learnFlags(run: Run, flags: readonly number[]): void {
  for (const flag of flags) if (!run.flags.includes(flag)) run.flags.push(flag);
}
