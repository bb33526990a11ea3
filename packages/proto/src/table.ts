/**
 * Codecs of messages made from tables of their fields.
 *
 * Generated code that writes and reads each field by itself is the fastest, and large: the API has thousands of
 * fields, and most of its messages are sent a few times a second at most. Those are described by tables
 * (scripts/tables.mjs says which); what a workflow thread reads and writes keeps code of its own.
 *
 * T1  A table gives the same bytes, the same objects and the same JSON as generated code: table.test.ts compares both.
 * T2  A table is looked at when its message is first used, so modules may refer to each other in circles.
 */
import Long from 'long';
import {
  base64FromBytes,
  bytesFromBase64,
  enumFromJSON,
  enumToJSON,
  floatToJson,
  isObject,
  isSet,
} from './json';
import { BinaryReader, BinaryWriter, isZero, NO_BYTES, setEntry } from './wire';

export interface Codec<T> {
  encode(message: T, writer?: BinaryWriter): BinaryWriter;
  decode(input: BinaryReader | Uint8Array, length?: number): T;
  fromJSON(object: any): T;
  toJSON(message: T): unknown;
}

/** What a message that others hold must have; without JSON where they have none. */
type Held = Pick<Codec<any>, 'encode' | 'decode'> & Partial<Codec<any>>;

type ScalarName = keyof typeof SCALARS;
type EnumKind = readonly [members: object, name: string];

/**
 * Number, name, kind, and how often. A kind is the name of a scalar, an enum with its name, or a message. `optional`
 * tells the default from nothing, as members of oneofs do; a `map` has its entry as its message; lists of numbers are
 * packed unless they are `unpacked`.
 */
export type Field = readonly [
  number: number,
  name: string,
  kind: ScalarName | EnumKind | Held,
  label?: 'single' | 'repeated' | 'unpacked' | 'optional' | 'map',
  /** A default that is not the kind's. */
  initial?: unknown,
];

/** What a field does with one value. */
interface Kind {
  /** Wire type: 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes. */
  readonly wire: number;
  readonly zero: unknown;
  isDefault(value: any): boolean;
  write(writer: BinaryWriter, value: any): void;
  read(reader: BinaryReader): unknown;
  fromJSON(value: any): unknown;
  toJSON(value: any): unknown;
}

const number = (
  wire: number,
  name: 'int32' | 'uint32' | 'sint32' | 'fixed32' | 'sfixed32' | 'float' | 'double',
  toJSON: (value: number) => unknown = Math.round,
): Kind => ({
  wire,
  zero: 0,
  isDefault: (value) => value === 0,
  write: (writer, value) => writer[name](value),
  read: (reader) => reader[name](),
  fromJSON: (value) => Number(value),
  toJSON,
});

const long = (
  wire: number,
  name: 'int64' | 'uint64' | 'sint64' | 'fixed64' | 'sfixed64',
  zero: Long = Long.ZERO,
): Kind => ({
  wire,
  zero,
  isDefault: isZero,
  write: (writer, value) => writer[name](value),
  read: (reader) => reader[name](),
  fromJSON: (value) => Long.fromValue(value),
  toJSON: (value) => (value || zero).toString(),
});

const SCALARS = {
  string: {
    wire: 2,
    zero: '',
    isDefault: (value: unknown) => value === '',
    write: (writer: BinaryWriter, value: string) => writer.string(value),
    read: (reader: BinaryReader) => reader.string(),
    fromJSON: (value: unknown) => String(value),
    toJSON: (value: string) => value,
  },
  bytes: {
    wire: 2,
    zero: NO_BYTES,
    isDefault: (value: Uint8Array) => value.length === 0,
    write: (writer: BinaryWriter, value: Uint8Array) => writer.bytes(value),
    read: (reader: BinaryReader) => reader.bytes(),
    fromJSON: bytesFromBase64,
    toJSON: base64FromBytes,
  },
  bool: {
    wire: 0,
    zero: false,
    isDefault: (value: unknown) => value === false,
    write: (writer: BinaryWriter, value: boolean) => writer.bool(value),
    read: (reader: BinaryReader) => reader.bool(),
    fromJSON: (value: unknown) => Boolean(value),
    toJSON: (value: boolean) => value,
  },
  int32: number(0, 'int32'),
  uint32: number(0, 'uint32'),
  sint32: number(0, 'sint32'),
  fixed32: number(5, 'fixed32'),
  sfixed32: number(5, 'sfixed32'),
  float: number(5, 'float', floatToJson),
  double: number(1, 'double', floatToJson),
  int64: long(0, 'int64'),
  uint64: long(0, 'uint64', Long.UZERO),
  sint64: long(0, 'sint64'),
  fixed64: long(1, 'fixed64', Long.UZERO),
  sfixed64: long(1, 'sfixed64'),
} satisfies Record<string, Kind>;

const enumKind = ([members, name]: EnumKind): Kind => ({
  ...SCALARS.int32,
  fromJSON: (value) => enumFromJSON(members, value, name),
  toJSON: (value) => enumToJSON(members, value),
});

const messageKind = (codec: Held): Kind => ({
  wire: 2,
  zero: undefined,
  isDefault: () => false,
  write: (writer, value) => codec.encode(value, writer.fork()).join(),
  read: (reader) => codec.decode(reader, reader.uint32()),
  fromJSON: (value) => codec.fromJSON!(value),
  toJSON: (value) => codec.toJSON!(value),
});

function kindOf(kind: Field[2]): Kind {
  if (typeof kind === 'string') return SCALARS[kind];
  return 'encode' in kind ? messageKind(kind) : enumKind(kind);
}

type Message = Record<string, any>;

interface Compiled {
  readonly name: string;
  /** Other spelling in JSON, where it differs. */
  readonly protoName: string;
  /** Value of a new message; for lists and maps, what makes one. */
  readonly initial: unknown;
  readonly makeInitial: (() => unknown) | undefined;
  write(writer: BinaryWriter, value: any): void;
  /** @returns whether the tag was one of the field's */
  read(reader: BinaryReader, tag: number, message: Message): boolean;
  fromJSON(value: any): unknown;
  /** Undefined where the field is left out. */
  toJSON(value: any): unknown;
}

const snakeCase = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

function single(
  name: string,
  number: number,
  kind: Kind,
  optional: boolean,
  ownDefault: unknown,
): Omit<Compiled, 'protoName'> {
  const tag = (number << 3) | kind.wire;
  const initial = optional ? undefined : (ownDefault ?? kind.zero);
  let isLeftOut = kind.isDefault;
  if (optional) isLeftOut = () => false;
  else if (ownDefault !== undefined) isLeftOut = (value) => value === ownDefault;
  return {
    name,
    initial,
    makeInitial: undefined,
    write: (writer, value) => {
      if (!isLeftOut(value)) kind.write(writer.uint32(tag), value);
    },
    read: (reader, given, message) => {
      if (given !== tag) return false;
      message[name] = kind.read(reader);
      return true;
    },
    fromJSON: (value) => (value === undefined ? initial : kind.fromJSON(value)),
    toJSON: (value) => (isLeftOut(value) ? undefined : kind.toJSON(value)),
  };
}

function repeated(name: string, number: number, kind: Kind, packs: boolean): Omit<Compiled, 'protoName'> {
  const tag = (number << 3) | kind.wire;
  const packedTag = (number << 3) | 2;
  const mayPack = kind.wire !== 2;
  return {
    name,
    initial: undefined,
    makeInitial: () => [],
    write: (writer, values) => {
      if (values.length === 0) return;
      if (mayPack && packs) {
        writer.uint32(packedTag).fork();
        for (const value of values) kind.write(writer, value);
        writer.join();
      } else {
        for (const value of values) kind.write(writer.uint32(tag), value);
      }
    },
    read: (reader, given, message) => {
      const list: unknown[] = message[name];
      if (given === tag) list.push(kind.read(reader));
      else if (mayPack && given === packedTag) {
        const end = reader.uint32() + reader.pos;
        while (reader.pos < end) list.push(kind.read(reader));
      } else return false;
      return true;
    },
    fromJSON: (value) => (Array.isArray(value) ? value.map((each) => kind.fromJSON(each)) : []),
    toJSON: (values) => (values.length > 0 ? values.map((each: unknown) => kind.toJSON(each)) : undefined),
  };
}

function map(name: string, number: number, entry: Held): Omit<Compiled, 'protoName'> {
  const tag = (number << 3) | 2;
  const { key, value } = entriesOf.get(entry)!();
  return {
    name,
    initial: undefined,
    makeInitial: () => ({}),
    write: (writer, entries) => {
      for (const [key, value] of Object.entries(entries)) {
        entry.encode({ key, value }, writer.uint32(tag).fork()).join();
      }
    },
    read: (reader, given, message) => {
      if (given !== tag) return false;
      const { key, value } = entry.decode(reader, reader.uint32());
      if (value != null) setEntry(message[name], key, value);
      return true;
    },
    fromJSON: (object) => {
      const entries = {};
      if (!isObject(object)) return entries;
      for (const [text, json] of Object.entries(object)) {
        setEntry(entries, key.fromJSON(text) as string, value.fromJSON(json));
      }
      return entries;
    },
    toJSON: (entries) => {
      const object = {};
      for (const [text, each] of Object.entries(entries)) setEntry(object, text, value.toJSON(each));
      return Object.keys(object).length > 0 ? object : undefined;
    },
  };
}

function compile([number, name, kind, label, initial]: Field): Compiled {
  const protoName = snakeCase(name);
  if (label === 'map') return { ...map(name, number, kind as Held), protoName };
  const one = kindOf(kind);
  return label === 'repeated' || label === 'unpacked'
    ? { ...repeated(name, number, one, label === 'repeated'), protoName }
    : { ...single(name, number, one, label === 'optional', initial), protoName };
}

interface Table {
  readonly fields: readonly Compiled[];
  readonly byNumber: readonly (Compiled | undefined)[];
  readonly template: Message;
  readonly collections: readonly Compiled[];
}

function tableOf(given: readonly Field[]): Table {
  const fields = given.map(compile);
  const byNumber: (Compiled | undefined)[] = [];
  // Parsed, so that the engine keeps it as a struct: an object that is filled by computed names becomes a dictionary,
  // whose copies cost a hundred times as much.
  const template: Message = JSON.parse(`{${fields.map(({ name }) => `"${name}":null`).join()}}`);
  given.forEach(([number], index) => {
    byNumber[number] = fields[index]!;
  });
  for (const { name, initial } of fields) template[name] = initial;
  return { fields, byNumber, template, collections: fields.filter(({ makeInitial }) => makeInitial) };
}

/** How key and value of an entry of a map convert. */
const entriesOf = new WeakMap<object, () => { key: Kind; value: Kind }>();

function registerEntry(codec: object, fields: () => readonly Field[]): void {
  entriesOf.set(codec, () => {
    const [key, value] = fields();
    return { key: kindOf(key![2]), value: kindOf(value![2]) };
  });
}

/** The codec of a message with these fields (T2). */
export function message<T extends object>(fields: () => readonly Field[]): Codec<T> {
  let cached: Table | undefined;
  const table = (): Table => {
    cached ??= tableOf(fields());
    return cached;
  };
  const codec: Codec<any> = {
    encode(given: Message, writer = new BinaryWriter()) {
      for (const field of table().fields) {
        const value = given[field.name];
        if (value != null) field.write(writer, value);
      }
      return writer;
    },
    decode(input, length) {
      const reader = input instanceof BinaryReader ? input : new BinaryReader(input);
      const end = reader.begin(length);
      const { template, collections, byNumber } = table();
      const decoded: Message = { ...template };
      for (const { name, makeInitial } of collections) decoded[name] = makeInitial!();
      while (reader.pos < end) {
        const tag = reader.uint32();
        if (!byNumber[tag >>> 3]?.read(reader, tag, decoded)) reader.skip(tag);
      }
      reader.end(end);
      return decoded;
    },
    fromJSON(object) {
      const { fields, template } = table();
      const read: Message = { ...template };
      for (const { name, protoName, fromJSON } of fields) {
        const value = isSet(object[name]) ? object[name] : object[protoName];
        read[name] = fromJSON(isSet(value) ? value : undefined);
      }
      return read;
    },
    toJSON(given: Message) {
      const object: Message = {};
      for (const { name, toJSON } of table().fields) {
        const value = given[name];
        const json = value == null ? undefined : toJSON(value);
        if (json !== undefined) object[name] = json;
      }
      return object;
    },
  };
  registerEntry(codec, fields);
  return codec;
}

/** Adds JSON by table to a message with code of its own. */
export function withJson<T extends object>(
  code: Pick<Codec<T>, 'encode' | 'decode'>,
  fields: () => readonly Field[],
): Codec<T> {
  const { fromJSON, toJSON } = message<T>(fields);
  const codec: Codec<T> = { ...code, fromJSON, toJSON };
  registerEntry(codec, fields);
  return codec;
}

interface Wrapping extends Codec<any> {
  wrap(value: any): any;
  unwrap(message: any): any;
}

/** A message that stands as a plain value in messages that hold it. */
export function unwrapped(codec: Wrapping): Codec<any> {
  return {
    encode: (value, writer) => codec.encode(codec.wrap(value), writer),
    decode: (input, length) => codec.unwrap(codec.decode(input, length)),
    fromJSON: (object) => codec.unwrap(codec.fromJSON(object)),
    toJSON: (value) => codec.toJSON(codec.wrap(value)),
  };
}

/** As `unwrapped`, for the wrappers of numbers. */
export function unwrappedNumber(codec: Codec<any>): Codec<any> {
  return {
    encode: (value, writer) => codec.encode({ value }, writer),
    decode: (input, length) => codec.decode(input, length).value,
    fromJSON: Number,
    toJSON: (value) => value,
  };
}
