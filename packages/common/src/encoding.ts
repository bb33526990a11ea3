/** UTF-8 without any help of the host: the same in Node.js and inside a realm that has no TextEncoder. */
import { utf8Decode, utf8Encode } from '@perdure/proto/lib/utf8';

/** UTF-8 bytes of a string; lone surrogates become U+FFFD. */
export function encode(text: string): Uint8Array {
  return utf8Encode(text);
}

/** The string of UTF-8 bytes; malformed sequences become U+FFFD. */
export function decode(bytes: Uint8Array): string {
  return utf8Decode(bytes);
}

/** The part of the web's TextEncoder that payload converters need. */
export class TextEncoder {
  readonly encoding = 'utf-8';

  encode(text = ''): Uint8Array {
    return utf8Encode(String(text));
  }

  encodeInto(text: string, target: Uint8Array): { read: number; written: number } {
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = utf8Encode(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

/** The part of the web's TextDecoder that payload converters need: UTF-8, whole inputs. */
export class TextDecoder {
  readonly encoding = 'utf-8';
  readonly fatal = false;
  readonly ignoreBOM = true;

  decode(bytes?: Uint8Array | ArrayBuffer): string {
    if (bytes === undefined) return '';
    return utf8Decode(ArrayBuffer.isView(bytes) ? bytes : new Uint8Array(bytes));
  }
}

/** @deprecated use `encode` of `@perdure/common/lib/encoding` */
export function u8(text: string): Uint8Array {
  return utf8Encode(text);
}

/** @deprecated use `decode` of `@perdure/common/lib/encoding` */
export function str(bytes: Uint8Array): string {
  return utf8Decode(bytes);
}
