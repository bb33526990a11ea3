import { BinaryReader, BinaryWriter, DecodeError } from '@perdure/proto/lib/wire';
import { LogRecord } from '@perdure/proto/perdure/core/v1/exchange';
import { Memo, Payload, RetryPolicy } from '@perdure/proto/temporal/api/common/v1/message';
import { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import { WorkflowActivation } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { WorkflowActivationCompletion } from '@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion';
import * as fc from 'fast-check';
import Long from 'long';

const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

function written(write: (writer: BinaryWriter) => unknown): BinaryReader {
  const writer = new BinaryWriter();
  write(writer);
  return new BinaryReader(writer.finish());
}

describe('scalars', () => {
  it('read back as they were written', () => {
    fc.assert(
      fc.property(
        fc.record({
          u32: fc.nat(0xffffffff),
          i32: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
          i64: int64,
          u64: uint64,
          float64: fc.double(),
          float32: fc.float(),
          text: fc.string({ unit: 'grapheme', maxLength: 300 }),
          bytes: fc.uint8Array({ maxLength: 300 }),
          flag: fc.boolean(),
        }),
        ({ u32, i32, i64, u64, float64, float32, text, bytes, flag }) => {
          const reader = written((writer) =>
            writer
              .uint32(u32)
              .int32(i32)
              .sint32(i32)
              .int64(i64)
              .sint64(i64)
              .uint64(u64)
              .fixed32(u32)
              .sfixed32(i32)
              .fixed64(u64)
              .sfixed64(i64)
              .double(float64)
              .float(float32)
              .string(text)
              .bytes(bytes)
              .bool(flag),
          );
          expect(reader.uint32()).toBe(u32);
          expect(reader.int32()).toBe(i32);
          expect(reader.sint32()).toBe(i32);
          expect(reader.int64().toString()).toBe(String(i64));
          expect(reader.sint64().toString()).toBe(String(i64));
          expect(reader.uint64().toString()).toBe(String(u64));
          expect(reader.fixed32()).toBe(u32);
          expect(reader.sfixed32()).toBe(i32);
          expect(reader.fixed64().toString()).toBe(String(u64));
          expect(reader.sfixed64().toString()).toBe(String(i64));
          expect(reader.double()).toBe(float64);
          expect(reader.float()).toBe(float32);
          expect(reader.string()).toBe(text);
          expect([...reader.bytes()]).toEqual([...bytes]);
          expect(reader.bool()).toBe(flag);
          expect(reader.pos).toBe(reader.len);
        },
      ),
    );
  });

  it('take 64-bit integers as Long, number, bigint or decimal string', () => {
    for (const value of [Long.fromNumber(-5), -5, -5n, '-5']) {
      expect(
        written((writer) => writer.int64(value))
          .int64()
          .toNumber(),
      ).toBe(-5);
    }
    const largest = '18446744073709551615';
    expect(
      written((writer) => writer.uint64(largest))
        .uint64()
        .toString(),
    ).toBe(largest);
  });

  it('write a negative 32-bit integer as other implementations do, in ten bytes', () => {
    expect([...new BinaryWriter().int32(-1).finish()]).toEqual([
      255, 255, 255, 255, 255, 255, 255, 255, 255, 1,
    ]);
  });
});

describe('messages', () => {
  it('come back whole, with sub-messages longer than one length byte can say', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.uint8Array({ maxLength: 40_000 }), { maxKeys: 4 }),
        fc.uint8Array({ maxLength: 20_000 }),
        (metadata, data) => {
          const memo = Memo.decode(Memo.encode({ fields: { inner: { metadata, data } } }).finish());
          const inner = memo.fields!.inner!;
          expect(Object.keys(inner.metadata!).sort()).toEqual(Object.keys(metadata).sort());
          for (const [key, value] of Object.entries(metadata)) {
            expect([...inner.metadata![key]!]).toEqual([...value]);
          }
          expect([...inner.data!]).toEqual([...data]);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('keep the largest unsigned and the smallest signed 64-bit integer', () => {
    const activation = WorkflowActivation.decode(
      WorkflowActivation.encode({
        timestamp: { seconds: Long.MIN_VALUE, nanos: -1 },
        jobs: [{ initializeWorkflow: { randomnessSeed: Long.MAX_UNSIGNED_VALUE } }],
      }).finish(),
    );
    expect(activation.timestamp!.seconds!.equals(Long.MIN_VALUE)).toBe(true);
    expect(activation.timestamp!.nanos).toBe(-1);
    expect(activation.jobs![0]!.initializeWorkflow!.randomnessSeed!.equals(Long.MAX_UNSIGNED_VALUE)).toBe(
      true,
    );
  });

  it('are encoded from literals with null for what is not set', () => {
    const literal: any = {
      message: null,
      stackTrace: 'here',
      cause: null,
      applicationFailureInfo: { details: null },
    };
    const failure = Failure.decode(Failure.encode(literal).finish());
    expect(failure).toMatchObject({ message: '', stackTrace: 'here', cause: undefined });
    expect(failure.applicationFailureInfo).toMatchObject({ type: '', details: undefined });
  });

  it('leave the fields of a oneof that is not set undefined', () => {
    const [job] = WorkflowActivation.decode(
      WorkflowActivation.encode({ jobs: [{ fireTimer: { seq: 7 } }] }).finish(),
    ).jobs!;
    expect(job!.fireTimer).toEqual({ seq: 7 });
    expect(job!.initializeWorkflow).toBeUndefined();
  });

  it('skip fields that they do not know, groups included', () => {
    const unknown = [
      ...[0xa0, 0x06, 0x96, 0x01], // field 100, varint
      ...[0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8], // 64 bits
      ...[0xa2, 0x06, 2, 9, 9], // two bytes
      ...[0xa3, 0x06, 0x08, 0x01, 0xa4, 0x06], // group with one field
      ...[0xa5, 0x06, 1, 2, 3, 4], // 32 bits
    ];
    const known = RetryPolicy.encode({ maximumAttempts: 3 }).finish();
    expect(RetryPolicy.decode(Uint8Array.from([...unknown, ...known, ...unknown])).maximumAttempts).toBe(3);
  });

  it('read a Buffer like any other bytes and give plain Uint8Arrays', () => {
    const bytes = Buffer.from(Payload.encode({ data: Uint8Array.from([1, 2, 3]) }).finish());
    const { data } = Payload.decode(bytes);
    expect(Object.getPrototypeOf(data)).toBe(Uint8Array.prototype);
  });

  it('do not share output between writers', () => {
    const first = new BinaryWriter();
    first.string('first');
    const second = Payload.encode({ data: Uint8Array.from([1]) }).finish();
    expect(new BinaryReader(first.finish()).string()).toBe('first');
    expect([...Payload.decode(second).data!]).toEqual([1]);
  });
});

describe('hostile input', () => {
  const sample = WorkflowActivationCompletion.encode({
    runId: 'run',
    successful: {
      commands: [
        { scheduleActivity: { seq: 1, activityType: 'a', headers: { k: { data: Uint8Array.from([1]) } } } },
      ],
    },
  }).finish();

  it('ends in a DecodeError when a message is cut anywhere inside', () => {
    // Between fields of the outer message a cut leaves a shorter message.
    const whole = Memo.encode({ fields: { key: { data: new Uint8Array(200) } } }).finish();
    for (let length = 1; length < whole.length; length++) {
      expect(() => Memo.decode(whole.subarray(0, length))).toThrow(DecodeError);
    }
  });

  it('ends in a message or a DecodeError for any bytes', () => {
    const types = [WorkflowActivation, WorkflowActivationCompletion, Failure, Payload, LogRecord];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        try {
          type.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('ends in a message or a DecodeError for valid messages with changed bytes', () => {
    fc.assert(
      fc.property(fc.nat(sample.length - 1), fc.nat(255), (at, byte) => {
        const bytes = sample.slice();
        bytes[at] = byte;
        try {
          WorkflowActivationCompletion.decode(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('ends in a DecodeError for tag 0, for groups that nobody began, and for endless varints', () => {
    expect(() => Payload.decode(Uint8Array.from([0]))).toThrow(DecodeError);
    expect(() => Payload.decode(Uint8Array.from([0x0c]))).toThrow(DecodeError);
    expect(() => Payload.decode(new Uint8Array(11).fill(0xff))).toThrow(DecodeError);
  });

  it('ends in a DecodeError when messages or groups nest too deep', () => {
    let failure: Failure = {};
    for (let depth = 0; depth < 150; depth++) failure = { cause: failure };
    expect(() => Failure.decode(Failure.encode(failure).finish())).toThrow(/nested too deep/);
    expect(() => Failure.decode(new Uint8Array(500).fill(0x0b))).toThrow(/nested too deep/);
  });

  it('takes map keys such as "__proto__" as entries and leaves prototypes alone', () => {
    for (const key of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
      const fields = Object.fromEntries([[key, { data: Uint8Array.from([7]) }]]);
      const memo = Memo.decode(Memo.encode({ fields }).finish());
      expect(Object.keys(memo.fields!)).toEqual([key]);
      expect(Object.getPrototypeOf(memo.fields)).toBe(Object.prototype);
      expect(Object.entries(memo.fields!)[0]![1].data![0]).toBe(7);
      expect(({} as any).data).toBeUndefined();
      const json: any = Memo.toJSON(memo);
      expect(Object.keys(json.fields)).toEqual([key]);
      expect(Object.keys(Memo.fromJSON(json).fields!)).toEqual([key]);
    }
  });
});
