import { hasCode, PayloadTooLargeError } from '@perdure/common';
import {
  checkMemo,
  checkPayloads,
  limitsOfNamespace,
  memoBytes,
  payloadBytes,
  payloadsBytes,
} from '@perdure/common/lib/internal-non-workflow';
import { Memo, Payload, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import fc from 'fast-check';
import Long from 'long';

const bytes = fc.uint8Array({ maxLength: 300 });
const payload: fc.Arbitrary<Payload> = fc.record({
  metadata: fc.dictionary(fc.string({ unit: 'binary', minLength: 1 }), bytes, { maxKeys: 4 }),
  data: bytes,
  externalPayloads: fc.array(
    fc.record({ sizeBytes: fc.integer({ min: 0, max: 2 ** 52 }).map((n) => Long.fromNumber(n)) }),
    {
      maxLength: 2,
    },
  ),
});

describe('sizes of payloads', () => {
  it('are those of the encoded messages', () => {
    fc.assert(
      fc.property(fc.array(payload, { maxLength: 4 }), (payloads) => {
        for (const one of payloads) expect(payloadBytes(one)).toBe(Payload.encode(one).finish().length);
        expect(payloadsBytes(payloads)).toBe(Payloads.encode({ payloads }).finish().length);
        expect(payloadsBytes({ payloads })).toBe(payloadsBytes(payloads));
      }),
    );
  });

  it('are those of encoded memos', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), payload, { maxKeys: 4 }), (fields) => {
        expect(memoBytes(fields)).toBe(Memo.encode({ fields }).finish().length);
      }),
    );
  });

  it('count large data without touching it', () => {
    const data = new Uint8Array(3_000_000);
    expect(payloadBytes({ data })).toBe(Payload.encode({ data }).finish().length);
  });
});

describe('limits', () => {
  const limits = limitsOfNamespace(
    { blobSizeLimitError: Long.fromNumber(1000), memoSizeLimitError: Long.fromNumber(500) },
    { payloadsWarnBytes: 100, memoWarnBytes: 50, payloadsErrorBytes: 0, memoErrorBytes: 0 },
  );
  const of = (size: number): Payload[] => [{ data: new Uint8Array(size).fill(115) }];

  it('refuse what the server would, with the field and both sizes', () => {
    const run = () => checkPayloads("the result of activity 'charge'", of(2000), limits);
    expect(run).toThrow(PayloadTooLargeError);
    expect(run).toThrow(/the result of activity 'charge': 2006 bytes, the server takes 1000 at most/);
    try {
      run();
    } catch (error) {
      expect(hasCode(error, 'PAYLOAD_TOO_LARGE')).toBe(true);
      expect(error).toMatchObject({ sizeBytes: 2006, limitBytes: 1000 });
    }
    expect(() => checkMemo('the memo', { note: of(900)[0]! }, limits)).toThrow(/the memo: 9\d\d bytes/);
  });

  it('warn below that, with sizes and nothing of the data', () => {
    const warnings: string[] = [];
    checkPayloads('the argument', of(200), limits, (message) => warnings.push(message));
    expect(warnings).toEqual([
      '[TMPRL1103] the argument: 206 bytes, more than the 100 bytes from which on a warning is given; the server refuses more than 1000',
    ]);
  });

  it('say nothing of small payloads, and refuse nothing where a namespace has no limit', () => {
    const warn = jest.fn();
    checkPayloads('the argument', of(20), limits, warn);
    checkPayloads('the argument', of(5_000_000), limitsOfNamespace(undefined), undefined);
    expect(warn).not.toHaveBeenCalled();
  });
});
