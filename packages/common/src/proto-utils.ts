/**
 * Histories and payloads between JSON and messages. Node.js side only: loads the messages of the history.
 *
 * J1  A history is read whoever wrote it: this SDK, the official one, CLI or Web UI. They differ in enum names
 *     ("EVENT_TYPE_TIMER_STARTED", "TimerStarted", numbers), in the key of the list ("events", "history"), in
 *     payload metadata (base64 or plain text), and in how they write 64-bit integers. Some leave of a payload nothing
 *     but its value.
 */
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import { decode, encode } from './encoding';
import { PerdureError, ValueError } from './errors';
import { isRecord, readProperty } from './type-helpers';

export type { History, Payload };

/** A payload as JSON: bytes in base64. */
export interface JSONPayload {
  metadata?: Record<string, string> | null;
  data?: string | null;
}

/** JSON is no history. */
export class InvalidHistoryError extends PerdureError {
  readonly code = 'HISTORY_INVALID';

  constructor(reason: string, cause?: unknown) {
    super(`Invalid history: ${reason}`, {
      cause,
      hint: 'give the JSON that `temporal workflow show --output json` or the Web UI’s download writes',
    });
  }
}

declare const require: (id: string) => any;

/** Loaded when the first history is read: importing this module must not load all messages. */
const messages = () =>
  require('@perdure/proto/temporal/api/history/v1/message') as typeof import('@perdure/proto/temporal/api/history/v1/message');

const protoJson = () => require('@perdure/proto/lib/json') as typeof import('@perdure/proto/lib/json');

/** Deeper JSON is no history; what reads it further on recurses. */
const MAX_DEPTH = 200;

/** The bytes of base64, undefined for what is none. */
function tryBase64(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(text) || text.replace(/=+$/, '').length % 4 === 1) return undefined;
  return protoJson().bytesFromBase64(text);
}

function isJson(bytes: Uint8Array): boolean {
  try {
    JSON.parse(decode(bytes));
    return true;
  } catch {
    return false;
  }
}

/** Base64 of a payload's data that may stand as JSON value already. */
function normalizeData(data: unknown, encoding: string): unknown {
  if (typeof data === 'string') {
    const bytes = tryBase64(data);
    if (bytes !== undefined && (!encoding.startsWith('json/') || isJson(bytes))) return data;
    if (!encoding.startsWith('json/')) return data; // reading it reports what is wrong
  }
  return data === undefined ? undefined : protoJson().base64FromBytes(encode(JSON.stringify(data)));
}

/** Payload as proto3 JSON: metadata that stand as plain text ("json/plain") become base64. */
function normalizePayload(payload: Record<string, unknown>, metadata: Record<string, unknown>): unknown {
  const encoding = String(metadata.encoding);
  if (!/^(?:json|binary)\/\w+$/.test(encoding)) return payload;
  return {
    ...payload,
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, value]) => [
        key,
        protoJson().base64FromBytes(encode(String(value))),
      ]),
    ),
    data: normalizeData(payload.data, encoding),
  };
}

/** A payload of which a Web UI that decodes its downloads has kept the value alone. */
function payloadOf(value: unknown, depth: number): unknown {
  if (isRecord(value) && !Array.isArray(value)) {
    const keys = Object.keys(value);
    if (isRecord(value.metadata) || keys.every((key) => key === 'data')) return normalize(value, depth);
  }
  return {
    metadata: { encoding: protoJson().base64FromBytes(encode('json/plain')) },
    data: protoJson().base64FromBytes(encode(JSON.stringify(value))),
  };
}

/** Where payloads stand: in lists of `Payloads`, in maps of memo, header and search attributes. */
const PAYLOAD_LISTS = new Set(['payloads']);
const PAYLOAD_MAPS = new Set(['fields', 'indexedFields', 'indexed_fields']);

/** Proto3 JSON of what any of the known writers wrote (J1); enum names are taken care of by the messages. */
function normalize(value: unknown, depth = 0): unknown {
  if (depth > MAX_DEPTH) throw new InvalidHistoryError('nested too deep');
  if (Array.isArray(value)) return value.map((item) => normalize(item, depth + 1));
  if (!isRecord(value)) return value;
  if (isRecord(value.metadata) && typeof value.metadata.encoding === 'string') {
    return normalizePayload(value, value.metadata);
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, normalizeField(key, inner, depth + 1)]),
  );
}

function normalizeField(key: string, value: unknown, depth: number): unknown {
  if (PAYLOAD_LISTS.has(key) && Array.isArray(value)) return value.map((item) => payloadOf(item, depth));
  if (PAYLOAD_MAPS.has(key) && isRecord(value) && !Array.isArray(value)) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, payloadOf(item, depth)]));
  }
  return normalize(value, depth);
}

/**
 * The history of its JSON, parsed or as text.
 * @throws {InvalidHistoryError} it is no history
 */
export function historyFromJSON(history: unknown): History {
  let json = history;
  if (typeof json === 'string') {
    try {
      json = JSON.parse(json);
    } catch (cause) {
      throw new InvalidHistoryError('the text is no JSON', cause);
    }
  }
  if (Array.isArray(json)) json = { events: json };
  if (isRecord(json) && !Array.isArray(json.events)) {
    const inner = json.history;
    if (isRecord(inner)) json = Array.isArray(inner) ? { events: inner } : inner;
  }
  if (!isRecord(json) || !Array.isArray(json.events)) {
    throw new InvalidHistoryError('expected an object with a list `events`');
  }
  try {
    return messages().History.fromJSON(normalize({ events: json.events }));
  } catch (cause) {
    if (cause instanceof InvalidHistoryError) throw cause;
    throw new InvalidHistoryError(String(readProperty(cause, 'message') ?? cause), cause);
  }
}

/** Proto3 JSON of a history, as text; `historyFromJSON` and every other tool read it. */
export function historyToJSON(history: History): string {
  return JSON.stringify(messages().History.toJSON(history), null, 2);
}

/** JSON of a payload. */
export function payloadToJSON(payload: Payload): JSONPayload {
  const { base64FromBytes } = protoJson();
  return {
    metadata:
      payload.metadata &&
      Object.fromEntries(
        Object.entries(payload.metadata).map(([key, value]) => [key, base64FromBytes(value)]),
      ),
    data: payload.data && base64FromBytes(payload.data),
  };
}

/** Inverse of `payloadToJSON`. */
export function JSONToPayload(json: JSONPayload): Payload {
  const { bytesFromBase64 } = protoJson();
  try {
    return {
      metadata: json.metadata
        ? Object.fromEntries(
            Object.entries(json.metadata).map(([key, value]) => [key, bytesFromBase64(value)]),
          )
        : undefined,
      data: json.data ? bytesFromBase64(json.data) : undefined,
    };
  } catch (cause) {
    throw new ValueError(`Invalid payload JSON: ${String(readProperty(cause, 'message'))}`, cause);
  }
}
