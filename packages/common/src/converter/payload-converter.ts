/**
 * Values to payloads and back: the default chain (undefined, bytes, JSON), composition, and the list and map helpers.
 *
 * P1  Synchronous, without any host API: runs inside workflows.
 * P2  What a payload holds is hostile until decoded: wrong or missing metadata is a ValueError, and map keys such
 *     as "__proto__" become own properties.
 * P3  A value and its payload share no memory: writing to one leaves the other as it is.
 */

import { utf8Decode, utf8Encode } from '@perdure/proto/lib/utf8';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { ExternalStorageNotConfiguredError, PayloadConverterError, ValueError } from '../errors';
import { readProperty } from '../type-helpers';
import { isReferencePayload } from './reference-payload';
import type { SerializationContext } from './serialization-context';
import type { ConverterHint, TypeInfo } from './type-info';
import { encodingTypes, METADATA_ENCODING_KEY } from './types';

export type { Payload };

/** Converts every value that an application sends. Give one with `dataConverter.payloadConverterPath`. */
export interface PayloadConverter {
  /**
   * @throws {ValueError} the value cannot be converted
   */
  toPayload<T>(value: T, context?: SerializationContext, hint?: ConverterHint<T>): Payload;

  /**
   * @throws {ValueError} the payload cannot be converted
   */
  fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T;

  /** Whether this converter understands the hint. */
  validateConverterHint?: (hint: ConverterHint) => boolean;
}

/** Converts the values of one encoding, for CompositePayloadConverter. */
export interface PayloadConverterWithEncoding {
  /** Undefined: not one of mine, ask the next converter. */
  toPayload<T>(value: T, context?: SerializationContext, hint?: ConverterHint<T>): Payload | undefined;

  fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T;

  /** Value of the metadata `encoding`. */
  readonly encodingType: string;

  validateConverterHint?: (hint: ConverterHint) => boolean;
}

const RAW_VALUE_BRAND: unique symbol = Symbol.for('perdure.RawValue') as any;
const typedArrayTag = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** Type-level mark of a RawValue; has no value. */
export declare const rawPayloadTypeBrand: unique symbol;

/**
 * A value that bypasses custom payload converters, or a payload that is handed on as it is. Codecs still apply.
 */
export class RawValue<T = unknown> {
  readonly #payload: Payload;
  declare readonly [rawPayloadTypeBrand]: T;

  /**
   * @param payloadConverter  converts `value`; default: the default converter
   */
  constructor(
    value: T,
    payloadConverter: PayloadConverter = defaultPayloadConverter,
    context?: SerializationContext,
  ) {
    this.#payload = payloadConverter.toPayload(value, context);
  }

  /** Wraps a payload. */
  static fromPayload(p: Payload): RawValue {
    return new RawValue(p, IDENTITY);
  }

  get payload(): Payload {
    return this.#payload;
  }

  get [RAW_VALUE_BRAND](): true {
    return true;
  }

  static [Symbol.hasInstance](candidate: unknown): boolean {
    return readProperty(candidate, RAW_VALUE_BRAND) === true;
  }
}

/** Takes a payload for its own payload. */
const IDENTITY: PayloadConverter = {
  toPayload: (value) => value as Payload,
  fromPayload: (payload) => payload as any,
};

const RAW_VALUE_HINT = 'perdure/raw-value';

/** Type info that leaves a payload undecoded: the value arrives as a RawValue. */
export const rawValueTypeInfo: TypeInfo<RawValue<unknown>, RawValue<unknown>> = Object.freeze({
  payloadConverterHint: Object.freeze({ converter: RAW_VALUE_HINT }),
});

/** Encoding that the metadata of a payload names. */
function encodingOf(payload: Payload): string {
  const metadata = payload.metadata;
  const encoding =
    metadata !== undefined && metadata !== null && Object.hasOwn(metadata, METADATA_ENCODING_KEY)
      ? metadata[METADATA_ENCODING_KEY]
      : undefined;
  if (encoding === undefined) throw new ValueError('Missing payload metadata: encoding');
  return utf8Decode(encoding);
}

/** Whether the value is a Uint8Array (or a Buffer), of whichever realm. */
function isBytes(value: unknown): value is Uint8Array {
  return ArrayBuffer.isView(value) && typedArrayTag.call(value) === 'Uint8Array';
}

/** Tries its converters in order; decodes by the encoding that the payload names. */
export class CompositePayloadConverter implements PayloadConverter {
  readonly converters: PayloadConverterWithEncoding[];
  readonly converterByEncoding: Map<string, PayloadConverterWithEncoding> = new Map();

  constructor(...converters: PayloadConverterWithEncoding[]) {
    if (converters.length === 0) {
      throw new PayloadConverterError('Must provide at least one PayloadConverterWithEncoding');
    }
    this.converters = converters;
    for (const converter of converters) {
      this.converterByEncoding.set(converter.encodingType, converter);
    }
  }

  toPayload<T>(value: T, context?: SerializationContext, hint?: ConverterHint<T>): Payload {
    if (value instanceof RawValue) return (value as RawValue).payload;
    for (const converter of this.converters) {
      const payload = converter.toPayload(value, context, hint);
      if (payload !== undefined) return payload;
    }
    const reason = whyNotJson(value);
    throw new ValueError(
      `Unable to convert ${describeValue(value)} to payload${reason === undefined ? '' : `: ${textOfError(reason)}`}`,
      reason,
    );
  }

  fromPayload<T>(payload: Payload, context?: SerializationContext, hint?: ConverterHint<T>): T {
    if (isReferencePayload(payload)) throw new ExternalStorageNotConfiguredError(); // storage would have resolved it
    const encoding = encodingOf(payload);
    const converter = this.converterByEncoding.get(encoding);
    if (converter === undefined) {
      throw new ValueError(
        `Unknown encoding: ${encoding}`,
        undefined,
        `this converter knows ${[...this.converterByEncoding.keys()].join(', ')}`,
      );
    }
    return converter.fromPayload(payload, context, hint);
  }

  validateConverterHint = (hint: ConverterHint): boolean => {
    return this.converters.some((converter) => converter.validateConverterHint?.(hint) === true);
  };
}

/** undefined ↔ `binary/null`. */
export class UndefinedPayloadConverter implements PayloadConverterWithEncoding {
  readonly encodingType = encodingTypes.METADATA_ENCODING_NULL;

  toPayload(value: unknown): Payload | undefined {
    if (value !== undefined) return undefined;
    return { metadata: { [METADATA_ENCODING_KEY]: NULL_ENCODING.slice() } };
  }

  fromPayload<T>(_content: Payload): T {
    return undefined as any;
  }
}

/** Uint8Array ↔ `binary/plain`. */
export class BinaryPayloadConverter implements PayloadConverterWithEncoding {
  readonly encodingType = encodingTypes.METADATA_ENCODING_RAW;

  toPayload(value: unknown): Payload | undefined {
    if (!isBytes(value)) return undefined;
    return { metadata: { [METADATA_ENCODING_KEY]: RAW_ENCODING.slice() }, data: new Uint8Array(value) };
  }

  fromPayload<T>(content: Payload): T {
    // P3. Absent data is how the protocol writes no bytes.
    return new Uint8Array(content.data ?? []) as any;
  }
}

/** Everything that JSON.stringify takes ↔ `json/plain`. */
export class JsonPayloadConverter implements PayloadConverterWithEncoding {
  readonly encodingType = encodingTypes.METADATA_ENCODING_JSON;

  toPayload(value: unknown): Payload | undefined {
    let json: string | undefined;
    try {
      json = JSON.stringify(value);
    } catch {
      return undefined; // the composite converter finds out why, if nobody takes the value
    }
    if (json === undefined) return undefined; // functions, symbols, undefined
    return { metadata: { [METADATA_ENCODING_KEY]: JSON_ENCODING.slice() }, data: utf8Encode(json) };
  }

  fromPayload<T>(content: Payload): T {
    const { data } = content;
    if (data === undefined || data === null || data.length === 0) {
      throw new ValueError('Got payload with no data');
    }
    const json = utf8Decode(data);
    try {
      return JSON.parse(json);
    } catch (cause) {
      throw new ValueError(`Payload holds no valid JSON: ${textOfError(cause)}`, cause);
    }
  }
}

// Copied into each payload: user code may write to what it is given.
const NULL_ENCODING = utf8Encode(encodingTypes.METADATA_ENCODING_NULL);
const RAW_ENCODING = utf8Encode(encodingTypes.METADATA_ENCODING_RAW);
const JSON_ENCODING = utf8Encode(encodingTypes.METADATA_ENCODING_JSON);

/** undefined, Uint8Array and JSON, in this order. */
export class DefaultPayloadConverter extends CompositePayloadConverter {
  constructor() {
    super(new UndefinedPayloadConverter(), new BinaryPayloadConverter(), new JsonPayloadConverter());
  }
}

/** The converter used where none is configured. */
export const defaultPayloadConverter: DefaultPayloadConverter = new DefaultPayloadConverter();

/** The error of JSON.stringify, undefined when it has none. */
function whyNotJson(value: unknown): unknown {
  try {
    JSON.stringify(value);
    return undefined;
  } catch (error) {
    return error ?? new TypeError('JSON.stringify threw nothing');
  }
}

function textOfError(error: unknown): string {
  const message = readProperty(error, 'message');
  return typeof message === 'string' ? message : typeof error === 'string' ? error : 'unknown error';
}

/** A value in a few words, for an error message; never throws. */
function describeValue(value: unknown): string {
  switch (typeof value) {
    case 'object': {
      if (value === null) return 'null';
      const name = readProperty(readProperty(value, 'constructor'), 'name');
      return typeof name === 'string' && name !== '' && name !== 'Object' ? `a ${name} object` : 'an object';
    }
    case 'function': {
      const name = readProperty(value, 'name');
      return typeof name === 'string' && name !== '' ? `function ${name}` : 'a function';
    }
    case 'bigint':
      return `${value}n`;
    case 'string':
      return JSON.stringify(value.length > 50 ? `${value.slice(0, 50)}…` : value);
    default:
      return String(value);
  }
}

/** Converts one value, by the type info when there is one. */
export function toPayloadWithTypeInfo<T, D = T>(
  converter: PayloadConverter,
  value: T,
  context: SerializationContext | undefined,
  typeInfo: TypeInfo<T, D> | undefined,
): Payload {
  if (value instanceof RawValue) return (value as RawValue).payload;
  if (typeInfo === undefined) return converter.toPayload(value, context);
  const hint = checkedHint(converter, typeInfo);
  const transfer: unknown =
    typeInfo.transferTypeConverter === undefined
      ? value
      : typeInfo.transferTypeConverter.toTransferType(value);
  return converter.toPayload(transfer, context, hint as ConverterHint);
}

/** Converts one payload, by the type info when there is one. */
export function fromPayloadWithTypeInfo<T, D = T>(
  converter: PayloadConverter,
  payload: Payload,
  context: SerializationContext | undefined,
  typeInfo: TypeInfo<T, D> | undefined,
): T {
  if (typeInfo === undefined) return converter.fromPayload(payload, context);
  if (typeInfo.payloadConverterHint?.converter === RAW_VALUE_HINT) return RawValue.fromPayload(payload) as T;
  const transfer = converter.fromPayload<D>(payload, context, checkedHint(converter, typeInfo));
  return typeInfo.transferTypeConverter === undefined
    ? (transfer as unknown as T)
    : typeInfo.transferTypeConverter.fromTransferType(transfer);
}

/** The hint of a type info, if the converter takes it. */
function checkedHint<T, D>(
  converter: PayloadConverter,
  typeInfo: TypeInfo<T, D>,
): ConverterHint<D> | undefined {
  const hint = typeInfo.payloadConverterHint;
  if (hint === undefined || hint.converter === RAW_VALUE_HINT) return undefined;
  if (converter.validateConverterHint !== undefined && !converter.validateConverterHint(hint)) {
    throw new PayloadConverterError(
      `The payload converter does not accept the hint for converter '${hint.converter}'`,
      undefined,
      'use a payload converter that knows this kind of hint, or remove the hint from the type info',
    );
  }
  return hint;
}

/** Converts a list of values, undefined for none. */
export function toPayloads(converter: PayloadConverter, ...values: unknown[]): Payload[] | undefined {
  return toPayloadsWithContext(converter, undefined, values);
}

/** Converts a list of values, undefined for none; type infos stand by position. */
export function toPayloadsWithContext(
  converter: PayloadConverter,
  context: SerializationContext | undefined,
  values: readonly unknown[],
  typeInfo?: readonly TypeInfo<any, any>[],
): Payload[] | undefined {
  if (values.length === 0) return undefined;
  return Array.from(values, (value, index) =>
    toPayloadWithTypeInfo(converter, value, context, typeInfo?.[index]),
  );
}

/** Converts a value; null and undefined pass unconverted. */
export function convertOptionalToPayload(
  payloadConverter: PayloadConverter,
  value: unknown,
  context?: SerializationContext,
): Payload | null | undefined {
  if (value === null || value === undefined) return value as null | undefined;
  return payloadConverter.toPayload(value, context);
}

/** Converts the values of a record. */
export function mapToPayloads<K extends string, T = any>(
  converter: PayloadConverter,
  map: Record<K, T>,
  context?: SerializationContext,
): Record<K, Payload> {
  // P2: fromEntries defines own properties
  return Object.fromEntries(
    Object.entries(map).map(([key, value]) => [key, converter.toPayload(value as T, context)]),
  ) as Record<K, Payload>;
}

/** Converts a record of payloads back; undefined for null and undefined. */
export function mapFromPayloads<K extends string, T = unknown>(
  converter: PayloadConverter,
  map?: Record<K, Payload> | null | undefined,
  context?: SerializationContext,
): Record<K, T> | undefined {
  if (map === undefined || map === null) return undefined;
  // P2
  return Object.fromEntries(
    Object.entries(map).map(([key, payload]) => [key, converter.fromPayload<T>(payload as Payload, context)]),
  ) as Record<K, T>;
}

/** Converts a list of payloads; none for null and undefined. */
export function arrayFromPayloads(
  converter: PayloadConverter,
  payloads?: Payload[] | null,
  context?: SerializationContext,
  typeInfo?: readonly TypeInfo<any, any>[],
): unknown[] {
  if (payloads === undefined || payloads === null) return [];
  return payloads.map((payload, index) =>
    fromPayloadWithTypeInfo(converter, payload, context, typeInfo?.[index]),
  );
}

/** Converts the payload at `index`; undefined when there is none. */
export function fromPayloadsAtIndex<T, D = T>(
  converter: PayloadConverter,
  index: number,
  payloads?: Payload[] | null,
  context?: SerializationContext,
  typeInfo?: TypeInfo<T, D>,
): T {
  const payload = payloads?.[index];
  if (payload === undefined || payload === null) return undefined as any;
  return fromPayloadWithTypeInfo(converter, payload, context, typeInfo);
}
