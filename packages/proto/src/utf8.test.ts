import { utf8Decode, utf8Encode, utf8Length, utf8Write } from '@perdure/proto/lib/utf8';
import * as fc from 'fast-check';

const anyText = fc.string({ unit: 'binary', maxLength: 300 });
/** Also texts with halves of surrogate pairs. */
const brokenText = fc
  .array(fc.oneof(fc.integer({ min: 0, max: 0xffff }), fc.integer({ min: 0xd800, max: 0xdfff })), {
    maxLength: 90,
  })
  .map((units) => String.fromCharCode(...units));

/** Bytes by the loop alone, whatever the length. */
function written(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  return bytes.subarray(0, utf8Write(text, bytes, 0));
}

/** Text by the loops alone: pieces shorter than what goes to a native decoder. */
function decodedInPlainScript(bytes: Uint8Array): string {
  return utf8Decode(bytes.subarray(0, 63));
}

describe('UTF-8', () => {
  it('encodes as the platform does, lone surrogates included', () => {
    fc.assert(
      fc.property(fc.oneof(anyText, brokenText), (text) => {
        const expected = Buffer.from(new TextEncoder().encode(text));
        expect(Buffer.from(utf8Encode(text)).equals(expected)).toBe(true);
        expect(Buffer.from(written(text)).equals(expected)).toBe(true);
        expect(utf8Length(text)).toBe(expected.length);
      }),
    );
  });

  it('decodes as the platform does, malformed bytes included', () => {
    const platform = new TextDecoder('utf-8', { ignoreBOM: true });
    const nearlyUtf8 = fc
      .array(
        fc.constantFrom(
          0x41,
          0x80,
          0xbf,
          0xc0,
          0xc2,
          0xe0,
          0xa0,
          0xed,
          0x9f,
          0xf0,
          0x90,
          0xf4,
          0x8f,
          0xf5,
          0xff,
        ),
        {
          maxLength: 63,
        },
      )
      .map((bytes) => Uint8Array.from(bytes));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), nearlyUtf8), (bytes) => {
        expect(utf8Decode(bytes)).toBe(platform.decode(bytes));
        const short = bytes.subarray(0, 63);
        expect(decodedInPlainScript(bytes)).toBe(platform.decode(short));
      }),
      { numRuns: 1000 },
    );
  });
});
