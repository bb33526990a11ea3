/**
 * Payload converters for messages of protobufjs, in the encodings that all SDKs share.
 *
 * Takes messages of reflection roots (json-module, parsed .proto files) and of static modules; protobufjs itself is
 * the user's, nothing of it is imported here.
 * M1  JSON is proto3's: times as ISO 8601, durations in seconds, 64-bit integers as strings, bytes as base64, enums by
 *     name. Static modules know no field types at run time: theirs is what their own toJSON writes, which differs
 *     for the well-known types.
 */

import {
  base64FromBytes,
  durationFromJson,
  durationToJson,
  fromJsonTimestamp,
  timestampToJson,
} from '@perdure/proto/lib/json';
import { patchProtobufRoot } from '@perdure/proto/lib/patch-protobuf-root';
import type { Payload } from '@perdure/proto/temporal/api/common/v1/message';
import { decode, encode } from '../encoding';
import { PayloadConverterError, ValueError } from '../errors';
import { isRecord, readProperty } from '../type-helpers';
import {
  BinaryPayloadConverter,
  CompositePayloadConverter,
  JsonPayloadConverter,
  type PayloadConverterWithEncoding,
  UndefinedPayloadConverter,
} from './payload-converter';
import { encodingTypes, METADATA_ENCODING_KEY, METADATA_MESSAGE_TYPE_KEY } from './types';

export { patchProtobufRoot };

/** What is used of a field of protobufjs' reflection. */
interface ReflectedField {
  readonly name: string;
  readonly type: string;
  readonly repeated: boolean;
  readonly map: boolean;
  readonly resolvedType: (ReflectedType & { readonly valuesById?: Record<number, string> }) | null;
  resolve(): unknown;
}

/** What is used of a type of protobufjs' reflection. */
interface ReflectedType {
  readonly fullName: string;
  readonly fieldsArray: ReflectedField[];
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  fromObject(object: unknown): unknown;
}

/** What is used of a class of a static module. */
interface StaticType {
  encode(message: unknown): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
  fromObject(object: unknown): unknown;
  getTypeUrl(prefix: string): string;
}

type MessageType = {
  readonly name: string;
  readonly type: ReflectedType | StaticType;
  readonly reflected: boolean;
};

function hasCoders(candidate: unknown): boolean {
  return ['encode', 'decode', 'fromObject'].every(
    (method) => typeof readProperty(candidate, method) === 'function',
  );
}

/** The type of a message; undefined for what is no message. */
function typeOfMessage(value: unknown): MessageType | undefined {
  if (!isRecord(value)) return undefined;
  const constructor = readProperty(value, 'constructor');
  const reflected = readProperty(constructor, '$type') ?? readProperty(value, '$type');
  if (hasCoders(reflected)) {
    const type = reflected as ReflectedType;
    return { name: type.fullName.replace(/^\./, ''), type, reflected: true };
  }
  if (hasCoders(constructor) && typeof readProperty(constructor, 'getTypeUrl') === 'function') {
    const type = constructor as StaticType;
    return { name: type.getTypeUrl('').replace(/^\//, ''), type, reflected: false };
  }
  return undefined;
}

/** The type of this name in a root: reflection or static module. */
function typeOfName(root: unknown, name: string): MessageType {
  let found: any;
  if (typeof readProperty(root, 'lookupType') === 'function') {
    try {
      found = (root as any).lookupType(name);
    } catch {
      // not found
    }
  } else {
    found = name
      .split('.')
      .reduce<unknown>(
        (at, part) => (Object.hasOwn(Object(at), part) ? readProperty(at, part) : undefined),
        root,
      );
  }
  if (!hasCoders(found)) {
    throw new PayloadConverterError(
      `Got a \`${name}\` protobuf message but cannot find corresponding message class in \`root\``,
      undefined,
      'give the converter a root that holds the message',
    );
  }
  return { name, type: found, reflected: Array.isArray(readProperty(found, 'fieldsArray')) };
}

abstract class ProtobufPayloadConverter implements PayloadConverterWithEncoding {
  abstract readonly encodingType: string;

  /** @param root  where the types of received messages are looked up; without one only encoding works */
  constructor(protected readonly root?: unknown) {
    if (root !== undefined && (root === null || (typeof root !== 'object' && typeof root !== 'function'))) {
      throw new PayloadConverterError('root must be a protobufjs Root or static module');
    }
  }

  protected abstract encodeMessage(value: unknown, type: MessageType): Uint8Array;
  protected abstract decodeMessage(data: Uint8Array, type: MessageType): unknown;

  toPayload(value: unknown): Payload | undefined {
    const type = typeOfMessage(value);
    if (type === undefined) return undefined;
    return {
      metadata: {
        [METADATA_ENCODING_KEY]: encode(this.encodingType),
        [METADATA_MESSAGE_TYPE_KEY]: encode(type.name),
      },
      data: this.encodeMessage(value, type),
    };
  }

  fromPayload<T>(content: Payload): T {
    if (this.root === undefined) {
      throw new PayloadConverterError('Unable to deserialize protobuf message without `root` being provided');
    }
    const messageType = content.metadata?.[METADATA_MESSAGE_TYPE_KEY];
    if (messageType === undefined || messageType === null) {
      throw new ValueError('Got protobuf payload without metadata.messageType');
    }
    const type = typeOfName(this.root, decode(messageType));
    try {
      return this.decodeMessage(content.data ?? new Uint8Array(0), type) as T;
    } catch (cause) {
      throw new ValueError(
        `Payload holds no valid ${type.name}: ${String(readProperty(cause, 'message'))}`,
        cause,
      );
    }
  }
}

/** protobufjs messages ↔ `binary/protobuf`. */
export class ProtobufBinaryPayloadConverter extends ProtobufPayloadConverter {
  readonly encodingType = encodingTypes.METADATA_ENCODING_PROTOBUF;

  protected encodeMessage(value: unknown, { type }: MessageType): Uint8Array {
    return new Uint8Array(type.encode(value).finish());
  }

  protected decodeMessage(data: Uint8Array, { type }: MessageType): unknown {
    return type.decode(data);
  }
}

/** protobufjs messages ↔ `json/protobuf` (M1). */
export class ProtobufJsonPayloadConverter extends ProtobufPayloadConverter {
  readonly encodingType = encodingTypes.METADATA_ENCODING_PROTOBUF_JSON;

  protected encodeMessage(value: unknown, { type, reflected }: MessageType): Uint8Array {
    const json = reflected
      ? messageToJson(value, type as ReflectedType)
      : (value as { toJSON(): unknown }).toJSON();
    return encode(JSON.stringify(json));
  }

  protected decodeMessage(data: Uint8Array, { type, reflected }: MessageType): unknown {
    const json: unknown = JSON.parse(decode(data));
    return type.fromObject(reflected ? jsonToObject(json, type as ReflectedType) : json);
  }
}

type Conversion = (value: any) => unknown;

/** Values of the `kind` oneof of google.protobuf.Value as JSON. */
function valueToJson(value: any): unknown {
  if (Object.hasOwn(value, 'structValue') && value.structValue) return structToJson(value.structValue);
  if (Object.hasOwn(value, 'listValue') && value.listValue) return value.listValue.values.map(valueToJson);
  for (const kind of ['numberValue', 'stringValue', 'boolValue']) {
    if (Object.hasOwn(value, kind) && value[kind] !== null && value[kind] !== undefined) return value[kind];
  }
  return null;
}

const structToJson: Conversion = ({ fields }) =>
  Object.fromEntries(Object.entries(fields ?? {}).map(([key, value]) => [key, valueToJson(value)]));

function jsonToValue(json: unknown): object {
  if (json === null || json === undefined) return { nullValue: 0 };
  if (typeof json === 'number') return { numberValue: json };
  if (typeof json === 'string') return { stringValue: json };
  if (typeof json === 'boolean') return { boolValue: json };
  if (Array.isArray(json)) return { listValue: { values: json.map(jsonToValue) } };
  return { structValue: jsonToStruct(json) };
}

const jsonToStruct: Conversion = (json) => ({
  fields: Object.fromEntries(Object.entries(json ?? {}).map(([key, value]) => [key, jsonToValue(value)])),
});

const snakeToCamel = (name: string) =>
  name.replace(/_([a-zA-Z0-9])/g, (_all, letter: string) => letter.toUpperCase());
const camelToSnake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** JSON forms of the well-known types: [to JSON, from JSON]. */
const WELL_KNOWN: ReadonlyMap<string, readonly [Conversion, Conversion]> = new Map([
  ['.google.protobuf.Timestamp', [timestampToJson, fromJsonTimestamp]],
  ['.google.protobuf.Duration', [durationToJson, durationFromJson]],
  ['.google.protobuf.Struct', [structToJson, jsonToStruct]],
  ['.google.protobuf.Value', [valueToJson, jsonToValue]],
  [
    '.google.protobuf.ListValue',
    [({ values }: any) => values.map(valueToJson), (json: unknown[]) => ({ values: json.map(jsonToValue) })],
  ],
  [
    '.google.protobuf.FieldMask',
    [
      ({ paths }: any) => paths.map(snakeToCamel).join(','),
      (json: string) => ({ paths: json === '' ? [] : json.split(',').map(camelToSnake) }),
    ],
  ],
] as [string, readonly [Conversion, Conversion]][]);

const isWrapper = (fullName: string) =>
  /^\.google\.protobuf\.\w+Value$/.test(fullName) && !WELL_KNOWN.has(fullName);

function scalarToJson(value: any, field: ReflectedField): unknown {
  const { resolvedType, type } = field;
  if (resolvedType?.valuesById !== undefined) {
    if (resolvedType.fullName === '.google.protobuf.NullValue') return null;
    return resolvedType.valuesById[value] ?? value;
  }
  if (resolvedType !== null) return messageToJson(value, resolvedType);
  if (/64$/.test(type)) return String(value);
  if (type === 'bytes') return base64FromBytes(value);
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

/** Proto3 JSON of a message, by the fields of its type. */
function messageToJson(message: any, type: ReflectedType): unknown {
  const wellKnown = WELL_KNOWN.get(type.fullName);
  if (wellKnown !== undefined) return wellKnown[0](message);
  if (isWrapper(type.fullName)) return scalarToJson(message.value, resolved(type)[0]!);
  const json: Record<string, unknown> = {};
  for (const field of resolved(type)) {
    if (!Object.hasOwn(message, field.name)) continue;
    const value = message[field.name];
    if (value === null || value === undefined) continue;
    const key = snakeToCamel(field.name);
    if (field.repeated) {
      if (value.length > 0) json[key] = Array.from(value, (item) => scalarToJson(item, field));
    } else if (field.map) {
      const entries = Object.entries(value).map(([name, item]) => [name, scalarToJson(item, field)]);
      if (entries.length > 0) json[key] = Object.fromEntries(entries);
    } else json[key] = scalarToJson(value, field);
  }
  return json;
}

/** The form that protobufjs' fromObject takes, of proto3 JSON. */
function jsonToObject(json: any, type: ReflectedType): unknown {
  const wellKnown = WELL_KNOWN.get(type.fullName);
  if (wellKnown !== undefined) return wellKnown[1](json);
  if (isWrapper(type.fullName)) return { value: jsonToScalar(json, resolved(type)[0]!) };
  if (!isRecord(json)) throw new TypeError(`expected an object for ${type.fullName}`);
  const object: Record<string, unknown> = {};
  for (const field of resolved(type)) {
    const key = [snakeToCamel(field.name), field.name, camelToSnake(field.name)].find((name) =>
      Object.hasOwn(json, name),
    );
    const value: any = key === undefined ? undefined : json[key];
    if (value === undefined || (value === null && field.resolvedType?.fullName !== '.google.protobuf.Value'))
      continue;
    if (field.repeated) object[field.name] = value.map((item: unknown) => jsonToScalar(item, field));
    else if (field.map) {
      object[field.name] = Object.fromEntries(
        Object.entries(value).map(([name, item]) => [name, jsonToScalar(item, field)]),
      );
    } else object[field.name] = jsonToScalar(value, field);
  }
  return object;
}

function jsonToScalar(value: unknown, field: ReflectedField): unknown {
  const { resolvedType } = field;
  if (resolvedType !== null && resolvedType.valuesById === undefined)
    return jsonToObject(value, resolvedType);
  if ((field.type === 'float' || field.type === 'double') && typeof value === 'string') return Number(value);
  return value;
}

/** Fields of a type, with their types looked up. */
function resolved(type: ReflectedType): ReflectedField[] {
  for (const field of type.fieldsArray) field.resolve();
  return type.fieldsArray;
}

export interface DefaultPayloadConverterWithProtobufsOptions {
  /** protobufjs root (json-module after `patchProtobufRoot`, or parsed) or static module that holds all messages. */
  protobufRoot: unknown;
}

/** The default payload converter, with protobufjs messages as JSON; also decodes binary ones. */
export class DefaultPayloadConverterWithProtobufs extends CompositePayloadConverter {
  constructor({ protobufRoot }: DefaultPayloadConverterWithProtobufsOptions) {
    super(
      new UndefinedPayloadConverter(),
      new BinaryPayloadConverter(),
      new ProtobufJsonPayloadConverter(protobufRoot),
      new ProtobufBinaryPayloadConverter(protobufRoot),
      new JsonPayloadConverter(),
    );
  }
}
