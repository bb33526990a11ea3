/**
 * Histories in every form that `runReplayHistory` takes.
 *
 * H1  JSON is read by @perdure/common, whoever wrote it; this module knows messages and their bytes.
 */
import { historyFromJSON } from '@perdure/common/lib/proto-utils';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { ReplayError } from './errors';

/**
 * @param given a History message of this package or of another protobuf library, its binary form, its JSON as text
 *   or parsed: what the CLI, the Web UI or an SDK writes
 * @throws {ReplayError} nothing that a history could be read from
 */
export function toHistory(given: unknown): History {
  if (given === undefined || given === null)
    throw new ReplayError('the history could not be fetched: there is none');
  const history = read(given);
  if (!history.events?.length) {
    throw new ReplayError(
      'the history has no events: takes a History message, its bytes, or its JSON, { "events": [...] }',
    );
  }
  return history;
}

function read(given: unknown): History {
  try {
    if (ArrayBuffer.isView(given)) return History.decode(given as Uint8Array);
    const foreign = encoderOf(given);
    if (foreign !== undefined) return History.decode(foreign.encode(given).finish());
    return isMessage(given) ? given : historyFromJSON(given); // H1
  } catch (error) {
    throw new ReplayError(
      `the history cannot be read: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
}

/** Classes of protobufjs, such as the official SDK's, encode their own messages. */
function encoderOf(given: unknown): { encode(message: unknown): { finish(): Uint8Array } } | undefined {
  const { constructor } = given as { constructor?: { encode?: unknown } };
  return typeof constructor?.encode === 'function' ? (constructor as never) : undefined;
}

/** In a message event ids are Long and types are numbers; in JSON both are texts. */
function isMessage(given: unknown): given is History {
  const { events } = given as { events?: unknown };
  if (!Array.isArray(events)) return false;
  const event: { eventId?: unknown; eventType?: unknown } | undefined = events[0];
  return event === undefined || (typeof event.eventType === 'number' && typeof event.eventId === 'object');
}
