/** Reads a WorkflowInfo as it comes from a lane: JSON, with dates as epoch milliseconds. */
import { type SearchAttributePair, TypedSearchAttributes } from '@perdure/common';
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

/** The same for callbacks that take it as it was in the workflow: nothing of it can be changed. */
export function frozenWorkflowInfo(json: string): Readonly<WorkflowInfo> {
  const info = parseWorkflowInfo(json) as { -readonly [K in keyof WorkflowInfo]: WorkflowInfo[K] };
  const pairs = info.typedSearchAttributes as unknown;
  if (Array.isArray(pairs)) {
    info.typedSearchAttributes = new TypedSearchAttributes(
      pairs.map(
        ({ key, value }): SearchAttributePair => ({
          key,
          value: key.type === 'DATETIME' ? new Date(value) : value,
        }),
      ),
    );
  }
  Object.freeze(info.unsafe);
  return Object.freeze(info);
}
