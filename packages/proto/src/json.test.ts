import { Duration } from '@perdure/proto/google/protobuf/duration';
import { Timestamp } from '@perdure/proto/google/protobuf/timestamp';
import { base64FromBytes, bytesFromBase64 } from '@perdure/proto/lib/json';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import * as fc from 'fast-check';

describe('proto3 JSON', () => {
  it('writes and reads base64 as the platform does', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        const expected = Buffer.from(bytes).toString('base64');
        expect(base64FromBytes(bytes)).toBe(expected);
        expect([...bytesFromBase64(expected)]).toEqual([...bytes]);
        expect([...bytesFromBase64(Buffer.from(bytes).toString('base64url'))]).toEqual([...bytes]);
      }),
    );
    expect(() => bytesFromBase64('a*b=')).toThrow('invalid base64');
  });

  it('keeps the nanoseconds of times and durations', () => {
    const time = '2026-11-21T10:30:09.123456789Z';
    expect(Timestamp.toJSON(Timestamp.fromJSON(time))).toBe(time);
    expect(Timestamp.toJSON(Timestamp.fromJSON('1969-12-31T23:59:59.500Z'))).toBe('1969-12-31T23:59:59.500Z');
    expect(Timestamp.toJSON(Timestamp.fromJSON('2026-11-21T12:30:09+02:00'))).toBe('2026-11-21T10:30:09Z');
    for (const text of ['0s', '10s', '1.500s', '-1.000000001s', '-0.500s', '315576000000s']) {
      expect(Duration.toJSON(Duration.fromJSON(text))).toBe(text);
    }
    expect(() => Duration.fromJSON('ten')).toThrow('Invalid duration');
    expect(() => Timestamp.fromJSON('today')).toThrow('Invalid timestamp');
  });

  it('reads a history and writes it back', () => {
    const json = {
      events: [
        {
          eventId: '1',
          eventTime: '2026-11-21T10:30:09.123456789Z',
          eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
          taskId: '9223372036854775807',
          workflowExecutionStartedEventAttributes: {
            workflowType: { name: 'hello' },
            input: { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'MQ==' }] },
            workflowTaskTimeout: '10s',
          },
        },
      ],
    };
    const history = History.fromJSON(json);
    expect(history.events![0]!.eventType).toBe(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED);
    expect(History.toJSON(history)).toEqual(json);
    const again = History.decode(History.encode(history).finish());
    expect(History.toJSON(again)).toEqual(json);
  });

  it('takes enum members by every name in use, keeps numbers without a name, refuses other names', () => {
    const history = History.fromJSON({ events: [{ eventType: 4711 }] });
    expect(History.toJSON(history)).toEqual({ events: [{ eventType: 4711 }] });
    for (const name of ['TimerStarted', 'TIMER_STARTED', 'EVENT_TYPE_TIMER_STARTED', '17', 17]) {
      expect(History.fromJSON({ events: [{ eventType: name }] }).events![0]!.eventType).toBe(17);
    }
    expect(() => History.fromJSON({ events: [{ eventType: 'toString' }] })).toThrow(
      'Unrecognized enum value',
    );
  });
});
