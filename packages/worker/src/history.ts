/** Histories in every form that `runReplayHistory` takes. */
import { historyFromJSON } from '@perdure/common/lib/proto-utils';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import { ReplayError } from './errors';

/**
 * @param given a History message, its proto3 JSON as an object or as text
 * @throws {ReplayError} nothing that a history could be read from
 */
export function toHistory(given: unknown): History {
  if (given === undefined || given === null)
    throw new ReplayError('the history could not be fetched: there is none');
  let value = given;
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value);
    } catch (error) {
      throw new ReplayError(`the history is not JSON: ${(error as Error).message}`);
    }
  }
  const events = (value as { events?: unknown })?.events;
  if (!Array.isArray(events) || events.length === 0) {
    throw new ReplayError(
      'the history has no events: takes a History message or its JSON, { "events": [...] }',
    );
  }
  if (isMessage(events[0])) return value as History;
  try {
    return historyFromJSON(value);
  } catch (error) {
    throw new ReplayError(
      `the history cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** In a message event ids are Long and types are numbers; in JSON both are texts. */
function isMessage(event: { eventId?: unknown; eventType?: unknown }): boolean {
  return typeof event?.eventType === 'number' && typeof event.eventId === 'object';
}
