/** As much of a run as flags look at. */
import type { Run } from '../runtime/run';

export function createHistoryRun(facts: {
  replaying: boolean;
  lastSdkVersion?: string;
  buildId?: string;
}): Run {
  const { replaying, lastSdkVersion = '', buildId } = facts;
  const deploymentVersion = buildId === undefined ? undefined : { deploymentName: '', buildId };
  return { replaying, lastSdkVersion, flags: [], history: { deploymentVersion } } as unknown as Run;
}
