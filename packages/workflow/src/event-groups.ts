/** Event groups: marks on commands by which user interfaces group the events they lead to. Experimental. */
import type { EventGroupMarker as ProtoMarker } from '@perdure/proto/temporal/api/sdk/v1/event_group_marker';
import { currentContext, withContext } from './async-context';
import { uuid4 } from './random';
import { type Run, requireWritableRun } from './runtime/run';

export interface EventGroupMarker {
  /** Marks every command that `fn` emits, and what it awaits. */
  withScope<T>(fn: () => Promise<T>): Promise<T>;
}

/** A marker as this package makes it. */
export class EventGroup implements EventGroupMarker {
  constructor(
    readonly id: string,
    readonly label: string,
  ) {}

  withScope<T>(fn: () => Promise<T>): Promise<T> {
    const run = requireWritableRun('EventGroupMarker.withScope()');
    return withContext(run, { eventGroups: [...(currentContext()?.eventGroups ?? []), this] }, fn);
  }
}

/** @param label shown by user interfaces @param options.id default: a deterministic UUID */
export function createEventGroup(label: string, options?: { id?: string }): EventGroupMarker {
  requireWritableRun('createEventGroup()');
  return new EventGroup(options?.id ?? uuid4(), label);
}

/** Markers of a command: those of the surrounding scopes first, then its own, each once. */
export function eventGroupMarkers(
  run: Run,
  inScope: readonly EventGroup[] | undefined,
  own: readonly EventGroupMarker[] | undefined,
): ProtoMarker[] {
  const byId = new Map<string, EventGroup>();
  for (const marker of [...(inScope ?? []), ...(own ?? [])]) {
    if (marker instanceof EventGroup) byId.set(marker.id, marker);
  }
  return [...byId.values()].map(({ id, label }) => ({
    label: { id, label: run.payloadConverter.toPayload(label) },
  }));
}
