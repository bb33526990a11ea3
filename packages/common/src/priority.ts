/** Priority and fairness of tasks: the public form and the protocol's. */
import type { Priority as ProtoPriority } from '@perdure/proto/temporal/api/common/v1/message';
import { ValueError } from './errors';

/** Which tasks of a queue run first. A field that is unset, empty or 0 is inherited from the caller. */
export interface Priority {
  /** 1 runs first. The server's default is the middle of its range (3 of 1 to 5). */
  priorityKey?: number;
  /** Tasks share a priority's capacity by key; at most 64 bytes. */
  fairnessKey?: string;
  /** Share of the key against the others; the server clamps to 0.001 … 1000. Default 1. */
  fairnessWeight?: number;
}

/** @throws {ValueError} `priorityKey` is no positive integer */
export function compilePriority(priority: Priority): ProtoPriority {
  const { priorityKey, fairnessKey, fairnessWeight } = priority;
  if (priorityKey !== undefined && (!Number.isInteger(priorityKey) || priorityKey < 0)) {
    throw new ValueError(`Priority.priorityKey must be a positive integer, got ${String(priorityKey)}`);
  }
  return {
    priorityKey: priorityKey ?? 0,
    fairnessKey: fairnessKey ?? '',
    fairnessWeight: fairnessWeight ?? 0,
  };
}

export function decodePriority(priority?: ProtoPriority | null): Priority {
  return {
    priorityKey: priority?.priorityKey || undefined,
    fairnessKey: priority?.fairnessKey || undefined,
    fairnessWeight: priority?.fairnessWeight || undefined,
  };
}
