/** Reads a WorkflowInfo as it comes from a lane: JSON, with dates as epoch milliseconds. */
import type { WorkflowInfo } from '@perdure/workflow';

const DATES: readonly string[] = ['startTime', 'runStartTime', 'executionExpirationTime'];

export function parseWorkflowInfo(json: string): WorkflowInfo {
  const info = JSON.parse(json) as Record<string, any>;
  for (const name of DATES) {
    if (typeof info[name] === 'number') info[name] = new Date(info[name]);
  }
  // `now` is a function in a workflow; outside there is but the wall clock.
  info.unsafe = { ...info.unsafe, now: () => Date.now() };
  return info as unknown as WorkflowInfo;
}
