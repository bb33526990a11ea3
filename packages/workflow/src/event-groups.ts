/** Event groups: marks on commands by which user interfaces group the events they lead to. Experimental. */

import { defaultPayloadConverter } from '@perdure/common';
import { encode } from '@perdure/common/lib/encoding';
import type { EventGroupMarker as ProtoMarker } from '@perdure/proto/temporal/api/sdk/v1/event_group_marker';
import type Long from 'long';
import { currentContext, withContext } from './async-context';
import { Alea } from './random';
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

/**
 * The mark on what a handler of a signal or an update commands: which event has called it. Made by the runtime.
 * At most one is active: a handler does not inherit that of whoever set it going.
 */
export class InboundMarker {
  constructor(readonly proto: ProtoMarker) {}

  static ofEvent(inboundEventId: Long): InboundMarker {
    return new InboundMarker({ inboundEvent: { inboundEventId } });
  }

  static ofUpdate(inboundUpdateId: string): InboundMarker {
    return new InboundMarker({ inboundUpdate: { inboundUpdateId } });
  }
}

/**
 * @param label shown by user interfaces; never passes the worker's payload converter, only its codecs
 * @param options.id groups with equal ids are one group. Default: made of the label, the same on every replay and
 *   without drawing from the random stream
 */
export function createEventGroup(label: string, options?: { id?: string }): EventGroupMarker {
  const run = requireWritableRun('createEventGroup()');
  return new EventGroup(options?.id ?? idOf(run, label), label);
}

function idOf(run: Run, label: string): string {
  const stream = Alea.seeded(encode(`${run.init.originalExecutionRunId || run.runId}${label}`));
  return [0, 0, 0, 0]
    .map(() =>
      Math.floor(stream.next() * 2 ** 32)
        .toString(16)
        .padStart(8, '0'),
    )
    .join('');
}

/** Markers of a command: that of the handler first, then those of the surrounding scopes, its own, each once. */
export function eventGroupMarkers(
  inbound: InboundMarker | undefined,
  inScope: readonly EventGroup[] | undefined,
  own: readonly EventGroupMarker[] | undefined,
): ProtoMarker[] {
  const byId = new Map<string, EventGroup>();
  for (const marker of [...(inScope ?? []), ...(own ?? [])]) {
    if (marker instanceof EventGroup) byId.set(marker.id, marker);
  }
  const explicit = [...byId.values()].map(({ id, label }) => ({
    label: { id, label: defaultPayloadConverter.toPayload(label) },
  }));
  return inbound === undefined ? explicit : [inbound.proto, ...explicit];
}
