import { str, u8 } from '@perdure/common';
import {
  decode,
  encode,
  TextDecoder as OwnDecoder,
  TextEncoder as OwnEncoder,
} from '@perdure/common/lib/encoding';
import * as fc from 'fast-check';

describe('text and bytes', () => {
  it('are converted as the platform does', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const bytes = encode(text);
        expect(Buffer.from(bytes).equals(Buffer.from(text))).toBe(true);
        expect(decode(bytes)).toBe(text);
        expect([str(u8(text)), new OwnDecoder().decode(new OwnEncoder().encode(text))]).toEqual([text, text]);
      }),
    );
  });

  it('are written as far as there is room, whole characters only', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.nat(20), (text, room) => {
        const ours = new Uint8Array(room);
        const theirs = new Uint8Array(room);
        expect(new OwnEncoder().encodeInto(text, ours)).toEqual(new TextEncoder().encodeInto(text, theirs));
        expect(ours).toEqual(theirs);
      }),
    );
  });
});
