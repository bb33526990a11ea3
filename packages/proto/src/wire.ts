/**
 * Reader and writer of protobuf's wire format, made for generated code that runs inside workflow realms.
 *
 * W1  Plain JavaScript: no Buffer, no TextEncoder, nothing read from the platform at load.
 * W2  Whatever bytes come in, a reader ends with a message or with a DecodeError: never past its end, never deeper
 *     than MAX_DEPTH, never with a changed prototype.
 * W3  64-bit integers are `Long`; writers also take numbers, bigints and decimal strings.
 * W4  Bytes that are read are views of the input; bytes that are written are copied.
 */
import Long from 'long';
import { utf8Decode, utf8Length, utf8Write } from './utf8';

/** Messages may nest this deep, as in the protobuf libraries of other languages. */
const MAX_DEPTH = 100;
/** Output buffers up to this size are kept for the next writer. */
const MAX_SPARE_BYTES = 64 * 1024;
const FIRST_BYTES = 1024;

/** The bytes are not an encoding of the message. */
export class DecodeError extends Error {
  readonly code = 'PROTO_DECODE_FAILED';

  constructor(reason: string, position: number) {
    super(`invalid protobuf: ${reason} at byte ${position}`);
    this.name = 'DecodeError';
  }
}

/** The default of `bytes` fields. Shared: an empty array cannot be changed. */
export const NO_BYTES: Uint8Array = new Uint8Array(0);

const float = new DataView(new ArrayBuffer(8));

/** Anything that is written as a 64-bit integer. */
export type LongLike = Long | number | bigint | string;

/** Whether a 64-bit integer is absent or the default. */
export function isZero(value: LongLike): boolean {
  if (typeof value === 'object' && value !== null) return value.low === 0 && value.high === 0;
  return Number(value) === 0;
}

/** Sets an entry of a map field; "__proto__" is a key like any other (W2). */
export function setEntry<V>(map: { [key: string]: V }, key: string | number, value: V): void {
  if (key === '__proto__') {
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    map[key] = value;
  }
}

export class BinaryReader {
  readonly buf: Uint8Array;
  readonly len: number;
  pos = 0;
  #depth = 0;

  constructor(bytes: Uint8Array) {
    // Views of a Buffer would be Buffers, which behave differently.
    this.buf =
      bytes.constructor === Uint8Array
        ? bytes
        : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.len = bytes.length;
  }

  /** Begins a message of `length` bytes, of the rest when undefined. Returns the position of its end. */
  begin(length: number | undefined): number {
    if (++this.#depth > MAX_DEPTH) throw new DecodeError('messages nested too deep', this.pos);
    if (length === undefined) return this.len;
    const end = this.pos + length;
    if (end > this.len) throw new DecodeError('message longer than its input', this.pos);
    return end;
  }

  /** Ends the message that `begin` began. */
  end(end: number): void {
    if (this.pos !== end) throw new DecodeError('field longer than its message', this.pos);
    this.#depth--;
  }

  uint32(): number {
    const buf = this.buf;
    let byte = buf[this.pos]!;
    if (byte < 0x80) {
      this.pos++;
      return byte;
    }
    let value = byte & 0x7f;
    let at = this.pos + 1;
    for (let shift = 7; shift < 35; shift += 7) {
      byte = buf[at++]!;
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) return this.#checked(at, value >>> 0);
      if (byte === undefined) break;
    }
    // Negative 32-bit values are written as ten bytes; what is above 32 bits is dropped.
    for (let more = 0; more < 5; more++) {
      byte = buf[at++]!;
      if (byte < 0x80) return this.#checked(at, value >>> 0);
    }
    throw new DecodeError(at > this.len ? 'truncated' : 'varint too long', this.pos);
  }

  #checked(at: number, value: number): number {
    this.pos = at;
    return value;
  }

  int32(): number {
    return this.uint32() | 0;
  }

  sint32(): number {
    const value = this.uint32();
    return (value >>> 1) ^ -(value & 1);
  }

  bool(): boolean {
    // any of the 64 bits
    const value = this.#varint64(false);
    return value.low !== 0 || value.high !== 0;
  }

  int64(): Long {
    return this.#varint64(false);
  }

  uint64(): Long {
    return this.#varint64(true);
  }

  sint64(): Long {
    const { low, high } = this.#varint64(false);
    const mask = -(low & 1);
    return new Long(((low >>> 1) | (high << 31)) ^ mask, (high >>> 1) ^ mask, false);
  }

  #varint64(unsigned: boolean): Long {
    const buf = this.buf;
    let at = this.pos;
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = buf[at++];
      if (byte === undefined) throw new DecodeError('truncated', this.pos);
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.pos = at;
        return new Long(low, high, unsigned);
      }
    }
    throw new DecodeError('varint too long', this.pos);
  }

  fixed32(): number {
    const at = this.#take(4);
    const { buf } = this;
    return (buf[at]! | (buf[at + 1]! << 8) | (buf[at + 2]! << 16) | (buf[at + 3]! << 24)) >>> 0;
  }

  sfixed32(): number {
    return this.fixed32() | 0;
  }

  fixed64(): Long {
    const low = this.fixed32() | 0;
    return new Long(low, this.fixed32() | 0, true);
  }

  sfixed64(): Long {
    const low = this.fixed32() | 0;
    return new Long(low, this.fixed32() | 0, false);
  }

  float(): number {
    float.setUint32(0, this.fixed32());
    return float.getFloat32(0);
  }

  double(): number {
    float.setUint32(4, this.fixed32());
    float.setUint32(0, this.fixed32());
    return float.getFloat64(0);
  }

  /** A view of the input (W4). */
  bytes(): Uint8Array {
    const length = this.uint32();
    if (length === 0) return NO_BYTES;
    const start = this.#take(length);
    return this.buf.subarray(start, start + length);
  }

  string(): string {
    const length = this.uint32();
    if (length === 0) return '';
    const start = this.#take(length);
    return utf8Decode(this.buf, start, start + length);
  }

  /** Skips the value of an unknown field, given its tag. */
  skip(tag: number): void {
    if (tag >>> 3 === 0) throw new DecodeError('field number 0', this.pos);
    switch (tag & 7) {
      case 0:
        this.#varint64(false);
        return;
      case 1:
        this.#take(8);
        return;
      case 2:
        this.#take(this.uint32());
        return;
      case 3: {
        if (++this.#depth > MAX_DEPTH) throw new DecodeError('groups nested too deep', this.pos);
        for (;;) {
          const inner = this.uint32();
          if ((inner & 7) === 4) {
            if (inner >>> 3 !== tag >>> 3) throw new DecodeError('group ended by another', this.pos);
            break;
          }
          this.skip(inner);
        }
        this.#depth--;
        return;
      }
      case 5:
        this.#take(4);
        return;
      default:
        throw new DecodeError(`wire type ${tag & 7}`, this.pos);
    }
  }

  /** Moves past `length` bytes; returns where they start. */
  #take(length: number): number {
    const start = this.pos;
    if (length > this.len - start) throw new DecodeError('truncated', start);
    this.pos = start + length;
    return start;
  }
}

/** Output buffer of a writer that has finished. Holds leftovers, which the next writer overwrites. */
let spare: Uint8Array | undefined;

export class BinaryWriter {
  #buf: Uint8Array;
  #pos = 0;
  /** Where the open sub-messages' length prefixes stand. */
  readonly #forks: number[] = [];

  constructor() {
    this.#buf = spare ?? new Uint8Array(FIRST_BYTES);
    spare = undefined;
  }

  /** The bytes written so far. The writer starts over. */
  finish(): Uint8Array {
    const keep = this.#buf.length <= MAX_SPARE_BYTES;
    // A large buffer is nobody else's from now on: what fills most of it needs no copy.
    const bytes =
      keep || this.#pos * 2 < this.#buf.length
        ? this.#buf.slice(0, this.#pos)
        : this.#buf.subarray(0, this.#pos);
    if (keep) spare = this.#buf;
    this.#buf = NO_BYTES;
    this.#pos = 0;
    this.#forks.length = 0;
    return bytes;
  }

  /** Begins a sub-message. */
  fork(): this {
    this.#reserve(1);
    this.#forks.push(this.#pos++); // most are shorter than 128 bytes, and their length takes this one byte
    return this;
  }

  /** Ends the sub-message begun last. */
  join(): this {
    const at = this.#forks.pop()!;
    const length = this.#pos - at - 1;
    if (length < 0x80) {
      this.#buf[at] = length;
      return this;
    }
    const more = length < 0x4000 ? 1 : length < 0x200000 ? 2 : length < 0x10000000 ? 3 : 4;
    this.#reserve(more);
    this.#buf.copyWithin(at + 1 + more, at + 1, this.#pos);
    const end = this.#pos + more;
    this.#pos = at;
    this.uint32(length);
    this.#pos = end;
    return this;
  }

  uint32(value: number): this {
    this.#reserve(5);
    const buf = this.#buf;
    let rest = value >>> 0;
    while (rest > 0x7f) {
      buf[this.#pos++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    buf[this.#pos++] = rest;
    return this;
  }

  int32(value: number): this {
    const int = value | 0;
    if (int >= 0) return this.uint32(int);
    return this.#varint64(int, -1);
  }

  sint32(value: number): this {
    return this.uint32((value << 1) ^ (value >> 31));
  }

  bool(value: boolean): this {
    this.#reserve(1);
    this.#buf[this.#pos++] = value ? 1 : 0;
    return this;
  }

  int64(value: LongLike): this {
    const long = toLong(value, false);
    return this.#varint64(long.low, long.high);
  }

  uint64(value: LongLike): this {
    const long = toLong(value, true);
    return this.#varint64(long.low, long.high);
  }

  sint64(value: LongLike): this {
    const { low, high } = toLong(value, false);
    const mask = high >> 31;
    return this.#varint64((low << 1) ^ mask, ((high << 1) | (low >>> 31)) ^ mask);
  }

  #varint64(low: number, high: number): this {
    this.#reserve(10);
    const buf = this.#buf;
    let lo = low >>> 0;
    let hi = high >>> 0;
    while (hi > 0 || lo > 0x7f) {
      buf[this.#pos++] = (lo & 0x7f) | 0x80;
      lo = ((lo >>> 7) | (hi << 25)) >>> 0;
      hi >>>= 7;
    }
    buf[this.#pos++] = lo;
    return this;
  }

  fixed32(value: number): this {
    this.#reserve(4);
    const buf = this.#buf;
    buf[this.#pos++] = value;
    buf[this.#pos++] = value >>> 8;
    buf[this.#pos++] = value >>> 16;
    buf[this.#pos++] = value >>> 24;
    return this;
  }

  sfixed32(value: number): this {
    return this.fixed32(value);
  }

  fixed64(value: LongLike): this {
    const long = toLong(value, true);
    return this.fixed32(long.low).fixed32(long.high);
  }

  sfixed64(value: LongLike): this {
    const long = toLong(value, false);
    return this.fixed32(long.low).fixed32(long.high);
  }

  float(value: number): this {
    float.setFloat32(0, value);
    return this.fixed32(float.getUint32(0));
  }

  double(value: number): this {
    float.setFloat64(0, value);
    const high = float.getUint32(0);
    return this.fixed32(float.getUint32(4)).fixed32(high);
  }

  bytes(value: Uint8Array): this {
    const { length } = value;
    this.uint32(length);
    this.#reserve(length);
    this.#buf.set(value, this.#pos);
    this.#pos += length;
    return this;
  }

  string(value: string): this {
    const text = typeof value === 'string' ? value : String(value);
    const most = text.length * 3;
    if (most < 0x80) {
      this.#reserve(most + 1);
      const start = this.#pos + 1;
      const end = utf8Write(text, this.#buf, start);
      this.#buf[start - 1] = end - start;
      this.#pos = end;
      return this;
    }
    const length = utf8Length(text);
    this.uint32(length);
    this.#reserve(length);
    this.#pos = utf8Write(text, this.#buf, this.#pos);
    return this;
  }

  #reserve(bytes: number): void {
    const needed = this.#pos + bytes;
    if (needed <= this.#buf.length) return;
    // Large ones get room for the prefixes of the messages around them, and no more: doubling would cost megabytes.
    const room =
      needed > MAX_SPARE_BYTES
        ? needed + (needed >>> 2)
        : Math.max(needed, this.#buf.length * 2, FIRST_BYTES);
    const larger = new Uint8Array(room);
    larger.set(this.#buf.subarray(0, this.#pos));
    this.#buf = larger;
  }
}

/** W3 */
function toLong(value: LongLike, unsigned: boolean): { readonly low: number; readonly high: number } {
  if (typeof value === 'object' && value !== null) return value;
  if (typeof value === 'number') return Long.fromNumber(value, unsigned);
  return Long.fromString(String(value), unsigned);
}
