/**
 * UTF-8 in plain JavaScript: the same in Node.js and in a realm that has neither Buffer nor TextEncoder.
 *
 * U1  Reads no global at load; a host's TextEncoder/TextDecoder is only an accelerator for long texts.
 * U2  Lone surrogates encode as U+FFFD, malformed bytes decode as U+FFFD (as the Encoding Standard says):
 *     neither direction throws.
 */

/** From this many bytes or UTF-16 units on, a native coder is faster than the loops below. */
const NATIVE_FROM = 64;
/** Arguments of one String.fromCharCode call. */
const CHUNK = 4096;

interface NativeCoders {
  readonly encoder: { encode(text: string): Uint8Array };
  readonly decoder: { decode(bytes: Uint8Array): string };
}

let native: NativeCoders | null | undefined;

/** The host's coders, if it is Node.js: those of a realm are wrappers that gain nothing. */
function nativeCoders(): NativeCoders | null {
  if (native === undefined) {
    const host = globalThis as {
      process?: { versions?: { node?: string } };
      TextEncoder?: new () => NativeCoders['encoder'];
      TextDecoder?: new (label: string, options: object) => NativeCoders['decoder'];
    };
    native =
      host.process?.versions?.node !== undefined &&
      host.TextEncoder !== undefined &&
      host.TextDecoder !== undefined
        ? { encoder: new host.TextEncoder(), decoder: new host.TextDecoder('utf-8', { ignoreBOM: true }) }
        : null;
  }
  return native;
}

/** Bytes that `text` takes in UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) continue;
    if (unit < 0x800) length += 1;
    else {
      length += 2;
      // A pair takes four bytes: two units, two more.
      if (unit >= 0xd800 && unit < 0xdc00 && i + 1 < text.length) {
        const next = text.charCodeAt(i + 1);
        if (next >= 0xdc00 && next < 0xe000) i++;
      }
    }
  }
  return length;
}

/** Writes `text` at `offset`; there must be room for three bytes a unit. Returns the offset behind it. */
export function utf8Write(text: string, target: Uint8Array, offset: number): number {
  let at = offset;
  for (let i = 0; i < text.length; i++) {
    let unit = text.charCodeAt(i);
    if (unit < 0x80) {
      target[at++] = unit;
    } else if (unit < 0x800) {
      target[at++] = 0xc0 | (unit >> 6);
      target[at++] = 0x80 | (unit & 0x3f);
    } else {
      if (unit >= 0xd800 && unit < 0xe000) {
        const next = unit < 0xdc00 && i + 1 < text.length ? text.charCodeAt(i + 1) : 0;
        if (next >= 0xdc00 && next < 0xe000) {
          i++;
          const point = 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00);
          target[at++] = 0xf0 | (point >> 18);
          target[at++] = 0x80 | ((point >> 12) & 0x3f);
          target[at++] = 0x80 | ((point >> 6) & 0x3f);
          target[at++] = 0x80 | (point & 0x3f);
          continue;
        }
        unit = 0xfffd; // U2
      }
      target[at++] = 0xe0 | (unit >> 12);
      target[at++] = 0x80 | ((unit >> 6) & 0x3f);
      target[at++] = 0x80 | (unit & 0x3f);
    }
  }
  return at;
}

/** UTF-8 bytes of `text`. */
export function utf8Encode(text: string): Uint8Array {
  if (text.length >= NATIVE_FROM) {
    const coders = nativeCoders();
    if (coders !== null) return coders.encoder.encode(text);
  }
  const bytes = new Uint8Array(utf8Length(text));
  utf8Write(text, bytes, 0);
  return bytes;
}

/** The string of `bytes` from `start` to `end`. */
export function utf8Decode(bytes: Uint8Array, start = 0, end = bytes.length): string {
  const length = end - start;
  if (length >= NATIVE_FROM) {
    const coders = nativeCoders();
    if (coders !== null) return coders.decoder.decode(bytes.subarray(start, end));
  }
  if (length < NATIVE_FROM) {
    const text = shortAscii(bytes, start, end);
    if (text !== undefined) return text;
  }
  return decodeUnits(bytes, start, end);
}

/** Arrays of each length below NATIVE_FROM, filled anew by every use. */
const scratch: number[][] = [];

/**
 * Short ASCII, which most identifiers are. Appending letter by letter would make a heap object for each from the
 * thirteenth on, so they are gathered first. Undefined for anything else.
 */
function shortAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  const length = end - start;
  if (length <= 12) {
    let text = '';
    for (let at = start; at < end; at++) {
      const byte = bytes[at]!;
      if (byte >= 0x80) return undefined;
      text += String.fromCharCode(byte);
    }
    return text;
  }
  while (scratch.length <= length) scratch.push(new Array<number>(scratch.length).fill(0));
  const letters = scratch[length]!;
  for (let i = 0; i < length; i++) {
    const byte = bytes[start + i]!;
    if (byte >= 0x80) return undefined;
    letters[i] = byte;
  }
  return String.fromCharCode.apply(null, letters);
}

function decodeUnits(bytes: Uint8Array, start: number, end: number): string {
  const units: number[] = [];
  let text = '';
  let at = start;
  while (at < end) {
    const byte = bytes[at++]!;
    if (byte < 0x80) {
      units.push(byte);
    } else {
      // Range of the second byte that makes this a shortest form below U+110000 and no surrogate.
      let rest = 0;
      let low = 0x80;
      let high = 0xbf;
      let point = 0;
      if (byte >= 0xc2 && byte <= 0xdf) {
        rest = 1;
        point = byte & 0x1f;
      } else if (byte >= 0xe0 && byte <= 0xef) {
        rest = 2;
        point = byte & 0x0f;
        if (byte === 0xe0) low = 0xa0;
        if (byte === 0xed) high = 0x9f;
      } else if (byte >= 0xf0 && byte <= 0xf4) {
        rest = 3;
        point = byte & 0x07;
        if (byte === 0xf0) low = 0x90;
        if (byte === 0xf4) high = 0x8f;
      }
      let complete = rest > 0;
      for (; rest > 0; rest--) {
        const next = at < end ? bytes[at]! : 0;
        if (next < low || next > high) {
          complete = false;
          break;
        }
        at++;
        point = (point << 6) | (next & 0x3f);
        low = 0x80;
        high = 0xbf;
      }
      if (!complete) units.push(0xfffd);
      else if (point >= 0x10000) {
        units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
      } else units.push(point);
    }
    if (units.length >= CHUNK) {
      text += String.fromCharCode.apply(null, units);
      units.length = 0;
    }
  }
  return text + String.fromCharCode.apply(null, units);
}
