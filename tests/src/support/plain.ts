/** Attributes of events as plain data: payloads decoded, durations in milliseconds, numbers as numbers, no defaults. */
import { defaultPayloadConverter } from '@perdure/common';
import type { HistoryEvent } from '@perdure/proto/temporal/api/history/v1/message';
import { eventsOfType } from './harness';

type Handle = Parameters<typeof eventsOfType>[0];

/** Attributes of all events of one type, each with `summary` and `details` of its user metadata. */
export async function attributesOf(handle: Handle, type: string): Promise<any[]> {
  return (await eventsOfType(handle, type)).map(attributesOfEvent);
}

export function attributesOfEvent(event: HistoryEvent): any {
  const key = Object.keys(event).find((name) => name.endsWith('EventAttributes') && name in event);
  const attributes = Object.entries(event).find(
    ([name, value]) => name.endsWith('EventAttributes') && value !== undefined,
  )?.[1];
  if (attributes === undefined) throw new Error(`an event without attributes: ${key}`);
  return { ...plain(attributes), ...plain(event.userMetadata ?? {}) };
}

/** A message as a reader wants it. */
export function plain(value: any): any {
  if (value instanceof Uint8Array || typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value.toNumber === 'function') return value.toNumber();
  if ('metadata' in value && 'data' in value) {
    return 'encoding' in value.metadata ? (defaultPayloadConverter.fromPayload(value) ?? null) : undefined;
  }
  if ('seconds' in value && 'nanos' in value) return value.seconds.toNumber() * 1000 + value.nanos / 1e6;
  const result: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(value)) {
    const shown = plain(field);
    if (shown !== undefined && shown !== '' && !isEmpty(shown)) result[key] = shown;
  }
  return result;
}

function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length === 0;
}
