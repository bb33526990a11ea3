/**
 * Evaluated in a realm: TextEncoder and TextDecoder for UTF-8.
 *
 * T1  Short texts are converted here; for long ones the host reads and writes bytes of arrays that were made
 *     for that call, so no host object and no user's object is involved.
 */
(function makeTextCodecs(host: import('../realm-parts').TextHost): import('../realm-parts').TextCodecs {
  const { apply } = Reflect;
  const { defineProperty } = Object;
  const { charCodeAt, toLowerCase, trim } = String.prototype;
  const { fromCharCode } = String;
  const { subarray, slice } = Uint8Array.prototype;
  const typedArray = Object.getPrototypeOf(Uint8Array.prototype);
  const lookup = (owner: object, name: PropertyKey) => Object.getOwnPropertyDescriptor(owner, name)!.get!;
  const viewBuffer = lookup(typedArray, 'buffer');
  const viewOffset = lookup(typedArray, 'byteOffset');
  const viewLength = lookup(typedArray, 'byteLength');
  const dataViewBuffer = lookup(DataView.prototype, 'buffer');
  const dataViewOffset = lookup(DataView.prototype, 'byteOffset');
  const dataViewLength = lookup(DataView.prototype, 'byteLength');
  const tag = lookup(typedArray, Symbol.toStringTag);
  const Bytes = Uint8Array;
  const { isView } = ArrayBuffer;
  const { encodeInto, decode: hostDecode } = host;
  const shortLength = 48;

  /** T1 @returns a plain Uint8Array of this realm over the same bytes */
  function bytesOf(input: unknown): Uint8Array {
    if (input === undefined) return new Bytes(0);
    if (isView(input)) {
      return apply(tag, input, []) !== undefined
        ? new Bytes(apply(viewBuffer, input, []), apply(viewOffset, input, []), apply(viewLength, input, []))
        : new Bytes(
            apply(dataViewBuffer, input, []),
            apply(dataViewOffset, input, []),
            apply(dataViewLength, input, []),
          );
    }
    try {
      return new Bytes(input as ArrayBuffer, 0);
    } catch {
      throw new TypeError('The input has to be an ArrayBuffer or a view of one');
    }
  }

  function encode(text: string): Uint8Array {
    const { length } = text;
    if (length <= shortLength) {
      const bytes = new Bytes(length);
      let i = 0;
      for (; i < length; i++) {
        const unit = apply(charCodeAt, text, [i]) as number;
        if (unit > 127) break;
        bytes[i] = unit;
      }
      if (i === length) return bytes;
    }
    const room = new Bytes(length * 3);
    const written = encodeInto(text, room);
    // A copy when much is left over: nobody should hold three times what he needs.
    return written === room.length ? room : apply(slice, room, [0, written]);
  }

  class TextEncoder {
    get encoding() {
      return 'utf-8';
    }
    encode(input: unknown = '') {
      return encode(`${input as string}`);
    }
    encodeInto(input: unknown, into: unknown) {
      if (apply(tag, into, []) !== 'Uint8Array')
        throw new TypeError('The destination has to be a Uint8Array');
      const text = `${input as string}`;
      const target = bytesOf(into);
      const written = encodeInto(text, target);
      let read = 0;
      for (let left = written; left > 0; read++) {
        const unit = apply(charCodeAt, text, [read]) as number;
        if (unit < 0x80) left -= 1;
        else if (unit < 0x800) left -= 2;
        else if (unit >= 0xd800 && unit < 0xdc00 && read + 1 < text.length) {
          const next = apply(charCodeAt, text, [read + 1]) as number;
          if (next >= 0xdc00 && next < 0xe000) {
            left -= 4;
            read++;
          } else left -= 3;
        } else left -= 3;
      }
      return { read, written };
    }
  }

  function decode(bytes: Uint8Array, fatal: boolean, keepMark: boolean): string {
    const { length } = bytes;
    if (length <= shortLength) {
      let text = '';
      let i = 0;
      for (; i < length; i++) {
        const byte = bytes[i]!;
        if (byte > 127) break;
        text += fromCharCode(byte);
      }
      if (i === length) return text;
    }
    const text = hostDecode(bytes, fatal, keepMark);
    if (text === undefined) throw new TypeError('The encoded data was not valid for encoding utf-8');
    return text;
  }

  const labels = ['utf-8', 'utf8', 'unicode-1-1-utf-8', 'unicode11utf8', 'unicode20utf8', 'x-unicode20utf8'];
  class TextDecoder {
    readonly #fatal: boolean;
    readonly #ignoreBOM: boolean;
    /** Bytes of a character that the last chunk of a stream began. */
    #pending: Uint8Array | undefined;
    #atStart = true;
    constructor(label: unknown = 'utf-8', options: { fatal?: unknown; ignoreBOM?: unknown } = {}) {
      const name = apply(toLowerCase, apply(trim, `${label as string}`, []), []) as string;
      let known = false;
      for (const each of labels) known ||= each === name;
      if (!known) throw new RangeError(`The encoding "${name}" is not available in workflows, only utf-8 is`);
      this.#fatal = !!options?.fatal;
      this.#ignoreBOM = !!options?.ignoreBOM;
    }
    get encoding() {
      return 'utf-8';
    }
    get fatal() {
      return this.#fatal;
    }
    get ignoreBOM() {
      return this.#ignoreBOM;
    }
    decode(input?: unknown, options: { stream?: unknown } = {}) {
      let bytes = bytesOf(input);
      const stream = !!options?.stream;
      if (this.#pending !== undefined) {
        const joined = new Bytes(this.#pending.length + bytes.length);
        joined.set(this.#pending);
        joined.set(bytes, this.#pending.length);
        bytes = joined;
        this.#pending = undefined;
      }
      if (stream) {
        const open = unfinished(bytes);
        if (open > 0) {
          this.#pending = apply(slice, bytes, [bytes.length - open]) as Uint8Array;
          bytes = apply(subarray, bytes, [0, bytes.length - open]) as Uint8Array;
        }
      }
      const keepMark = this.#ignoreBOM || !this.#atStart;
      if (bytes.length > 0) this.#atStart = false;
      if (!stream) this.#atStart = true;
      return decode(bytes, this.#fatal, keepMark);
    }
  }
  /** @returns how many bytes at the end begin a character without finishing it */
  function unfinished(bytes: Uint8Array): number {
    for (let back = 1; back <= 3 && back <= bytes.length; back++) {
      const byte = bytes[bytes.length - back]!;
      if ((byte & 0xc0) === 0x80) continue;
      const needs = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : byte >= 0xc0 ? 2 : 1;
      return needs > back ? back : 0;
    }
    return 0;
  }
  for (const type of [TextEncoder, TextDecoder]) {
    defineProperty(type.prototype, Symbol.toStringTag, { value: type.name, configurable: true });
  }
  return { TextEncoder, TextDecoder };
});
