/**
 * Messages whose code is generated field by field, described by tables once more: both must do the same with whatever
 * comes (T1 of table.ts).
 */

import { Duration } from '@perdure/proto/google/protobuf/duration';
import { Timestamp } from '@perdure/proto/google/protobuf/timestamp';
import { type Codec, message } from '@perdure/proto/lib/table';
import {
  ActivityType,
  Header,
  Payload,
  Payload_ExternalPayloadDetails,
  type Payload_MetadataEntry,
  Payloads,
  Priority,
  RetryPolicy,
} from '@perdure/proto/temporal/api/common/v1/message';
import { ApplicationErrorCategory } from '@perdure/proto/temporal/api/enums/v1/common';
import { RetryState } from '@perdure/proto/temporal/api/enums/v1/workflow';
import { ActivityFailureInfo, ApplicationFailureInfo } from '@perdure/proto/temporal/api/failure/v1/message';
import * as fc from 'fast-check';
import Long from 'long';

const MetadataEntry = message<Payload_MetadataEntry>(() => [
  [1, 'key', 'string'],
  [2, 'value', 'bytes'],
]);
const tables: Record<string, { generated: any; table: Codec<any>; sample: fc.Arbitrary<any>; json?: false }> =
  {
    Payload: {
      generated: Payload,
      table: message<Payload>(() => [
        [1, 'metadata', MetadataEntry, 'map'],
        [2, 'data', 'bytes'],
        [3, 'externalPayloads', Payload_ExternalPayloadDetails, 'repeated'],
      ]),
      sample: fc.record(
        {
          metadata: fc.dictionary(fc.string(), fc.uint8Array({ maxLength: 9 })),
          data: fc.uint8Array({ maxLength: 300 }),
          externalPayloads: fc.array(fc.record({ sizeBytes: fc.bigInt(-9n, 2n ** 62n).map(long) }), {
            maxLength: 3,
          }),
        },
        { requiredKeys: [] },
      ),
    },
    RetryPolicy: {
      generated: RetryPolicy,
      table: message<RetryPolicy>(() => [
        [1, 'initialInterval', Duration],
        [2, 'backoffCoefficient', 'double'],
        [3, 'maximumInterval', Duration],
        [4, 'maximumAttempts', 'int32'],
        [5, 'nonRetryableErrorTypes', 'string', 'repeated'],
      ]),
      sample: fc.record(
        {
          initialInterval: fc.record({ seconds: fc.maxSafeNat().map(long), nanos: fc.nat(999_999_999) }),
          backoffCoefficient: fc.double({ noNaN: true }),
          maximumAttempts: fc.integer(),
          nonRetryableErrorTypes: fc.array(fc.string({ unit: 'grapheme' })),
        },
        { requiredKeys: [] },
      ),
    },
    Priority: {
      generated: Priority,
      table: message<Priority>(() => [
        [1, 'priorityKey', 'int32'],
        [2, 'fairnessKey', 'string'],
        [3, 'fairnessWeight', 'float'],
      ]),
      sample: fc.record(
        { priorityKey: fc.integer(), fairnessKey: fc.string(), fairnessWeight: fc.float({ noNaN: true }) },
        { requiredKeys: [] },
      ),
    },
    ApplicationFailureInfo: {
      generated: ApplicationFailureInfo,
      table: message<ApplicationFailureInfo>(() => [
        [1, 'type', 'string'],
        [2, 'nonRetryable', 'bool'],
        [3, 'details', Payloads],
        [4, 'nextRetryDelay', Duration],
        [5, 'category', [ApplicationErrorCategory, 'ApplicationErrorCategory']],
      ]),
      sample: fc.record(
        {
          type: fc.string(),
          nonRetryable: fc.boolean(),
          details: fc.constantFrom({}, { payloads: [{ data: new Uint8Array([1]) }] }),
          category: fc.nat(3),
        },
        { requiredKeys: [] },
      ),
    },
    ActivityFailureInfo: {
      generated: ActivityFailureInfo,
      table: message<ActivityFailureInfo>(() => [
        [1, 'scheduledEventId', 'int64'],
        [2, 'startedEventId', 'int64'],
        [3, 'identity', 'string'],
        [4, 'activityType', ActivityType],
        [5, 'activityId', 'string'],
        [6, 'retryState', [RetryState, 'RetryState']],
      ]),
      sample: fc.record(
        {
          scheduledEventId: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map(long),
          activityType: fc.record({ name: fc.string() }),
          retryState: fc.nat(9),
        },
        { requiredKeys: [] },
      ),
    },
  };

function long(value: bigint | number): Long {
  return Long.fromString(String(value));
}

const check = (run: (name: string, entry: (typeof tables)[string]) => void) => {
  for (const [name, entry] of Object.entries(tables)) run(name, entry);
};

describe('a table', () => {
  it('writes the bytes and reads the objects that generated code does', () => {
    check((_name, { generated, table, sample }) => {
      fc.assert(
        fc.property(sample, (given) => {
          const bytes = table.encode(given).finish();
          expect(bytes).toEqual(generated.encode(given).finish());
          expect(table.decode(bytes)).toEqual(generated.decode(bytes));
          expect(Object.keys(table.decode(bytes))).toEqual(Object.keys(generated.decode(bytes)));
        }),
        { numRuns: 200 },
      );
    });
  });

  it('has the same JSON, in both spellings of names', () => {
    const snake = (value: any): any =>
      Array.isArray(value) || value === null || typeof value !== 'object'
        ? value
        : Object.fromEntries(
            Object.entries(value).map(([name, each]) => [
              name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
              each,
            ]),
          );
    check((_name, { generated, table, sample }) => {
      fc.assert(
        fc.property(sample, (given) => {
          const whole = table.decode(table.encode(given).finish());
          const json = table.toJSON(whole);
          expect(json).toEqual(generated.toJSON(whole));
          expect(table.fromJSON(json)).toEqual(generated.fromJSON(json));
          expect(table.fromJSON(snake(json))).toEqual(generated.fromJSON(snake(json)));
        }),
        { numRuns: 100 },
      );
    });
  });

  it('ends with the same error or message for bytes that are cut or arbitrary', () => {
    const outcome = (codec: Codec<any>, bytes: Uint8Array) => {
      try {
        return codec.decode(bytes);
      } catch (error) {
        return (error as Error).message;
      }
    };
    check((_name, { generated, table, sample }) => {
      fc.assert(
        fc.property(sample, fc.nat(40), fc.uint8Array({ maxLength: 30 }), (given, length, noise) => {
          const cut = table.encode(given).finish().slice(0, length);
          expect(outcome(table, cut)).toEqual(outcome(generated, cut));
          expect(outcome(table, noise)).toEqual(outcome(generated, noise));
        }),
        { numRuns: 200 },
      );
    });
  });

  it('takes members of oneofs, times, lists of numbers in both forms, and maps of messages', () => {
    const Job = message<any>(() => [
      [1, 'text', 'string', 'optional'],
      [2, 'flags', 'uint32', 'repeated'],
      [3, 'loose', 'uint32', 'unpacked'],
      [4, 'at', Timestamp],
      [
        5,
        'headers',
        message<any>(() => [
          [1, 'key', 'string'],
          [2, 'value', Header],
        ]),
        'map',
      ],
      [6, 'level', 'int32', 'single', 1],
    ]);
    expect(Job.decode(new Uint8Array())).toEqual({
      text: undefined,
      flags: [],
      loose: [],
      at: undefined,
      headers: {},
      level: 1,
    });
    const given = {
      text: '',
      flags: [1, 300],
      loose: [1, 300],
      at: { seconds: Long.fromNumber(5), nanos: 7 },
      headers: JSON.parse('{"__proto__":{},"a":{"fields":{}}}'),
      level: 1,
    };
    const bytes = Job.encode(given).finish();
    expect(Buffer.from(bytes).toString('hex')).toMatch(/^0a00120301ac02180118ac0222/);
    const read = Job.decode(bytes);
    expect(read).toMatchObject({ text: '', flags: [1, 300], loose: [1, 300], level: 1 });
    expect(Object.keys(read.headers)).toEqual(['__proto__', 'a']);
    expect(Object.getPrototypeOf(read.headers)).toBe(Object.prototype);
    // Whichever form the sender chose.
    expect(Job.decode(Uint8Array.of(0x10, 5, 0x12, 1, 6, 0x1a, 2, 7, 8))).toMatchObject({
      flags: [5, 6],
      loose: [7, 8],
    });
    expect(Job.toJSON(given)).toMatchObject({ at: '1970-01-01T00:00:05.000000007Z', flags: [1, 300] });
  });
});
