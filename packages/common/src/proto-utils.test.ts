import fs from 'node:fs';
import path from 'node:path';
import { hasCode } from '@perdure/common';
import {
  historyFromJSON,
  historyToJSON,
  JSONToPayload,
  payloadToJSON,
} from '@perdure/common/lib/proto-utils';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import Long from 'long';

/** The same history as different tools write it. */
const asTheCliWrites = {
  events: [
    {
      eventId: '1',
      eventTime: '2026-11-21T10:30:09.123456789Z',
      eventType: 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED',
      taskId: '1048587',
      workflowExecutionStartedEventAttributes: {
        workflowType: { name: 'hello' },
        taskQueue: { name: 'queue', kind: 'TASK_QUEUE_KIND_NORMAL' },
        input: { payloads: [{ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'IldvcmxkIg==' }] },
        workflowTaskTimeout: '10s',
        attempt: 1,
      },
    },
    {
      eventId: '2',
      eventTime: '2026-11-21T10:30:10Z',
      eventType: 'EVENT_TYPE_ACTIVITY_TASK_FAILED',
      activityTaskFailedEventAttributes: {
        failure: { message: 'm', applicationFailureInfo: { type: 'T' } },
        scheduledEventId: '1',
        retryState: 'RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED',
      },
    },
  ],
};

const asOlderToolsWrite = {
  events: [
    {
      eventId: 1,
      eventTime: '2026-11-21T10:30:09.123456789Z',
      eventType: 'WorkflowExecutionStarted',
      taskId: 1048587,
      workflowExecutionStartedEventAttributes: {
        workflowType: { name: 'hello' },
        taskQueue: { name: 'queue', kind: 'Normal' },
        input: { payloads: [{ metadata: { encoding: 'json/plain' }, data: 'World' }] },
        workflowTaskTimeout: '10s',
        attempt: 1,
      },
    },
    {
      eventId: 2,
      eventTime: '2026-11-21T10:30:10Z',
      eventType: 'ActivityTaskFailed',
      activityTaskFailedEventAttributes: {
        failure: { message: 'm', applicationFailureInfo: { type: 'T' } },
        scheduledEventId: 1,
        retryState: 'MaximumAttemptsReached',
      },
    },
  ],
};

describe('histories', () => {
  it('are read alike whoever wrote them', () => {
    const expected = historyFromJSON(asTheCliWrites);
    expect(expected.events![0]).toMatchObject({ eventType: 1, eventTime: { nanos: 123456789 } });
    expect(expected.events![0]!.taskId!.equals(Long.fromNumber(1048587))).toBe(true);
    const wire = Buffer.from(History.encode(expected).finish());
    for (const other of [
      asOlderToolsWrite,
      JSON.stringify(asTheCliWrites),
      asTheCliWrites.events,
      { history: asTheCliWrites },
      { history: asOlderToolsWrite.events },
      JSON.parse(historyToJSON(expected)),
    ]) {
      expect(Buffer.from(History.encode(historyFromJSON(other)).finish()).equals(wire)).toBe(true);
    }
  });

  it('of a real server, as the CLI shows them, are written exactly as they were read', () => {
    const file = path.resolve(__dirname, '../src/testing/history-of-the-cli.json');
    const text = fs.readFileSync(file, 'utf8');
    const history = historyFromJSON(text);
    expect(history.events!.map(({ eventType }) => eventType)).toEqual([1, 5, 26, 27]);
    expect(JSON.parse(historyToJSON(history))).toEqual(JSON.parse(text));
    const overTheWire = History.decode(History.encode(history).finish());
    expect(JSON.parse(historyToJSON(overTheWire))).toEqual(JSON.parse(text));
  });

  it('may hold payload data as decoded JSON', () => {
    const decoded = structuredClone(asOlderToolsWrite) as any;
    const { payloads } = decoded.events[0].workflowExecutionStartedEventAttributes.input;
    payloads.push({ metadata: { encoding: 'json/plain' }, data: { a: [1] } });
    payloads.push({ metadata: { encoding: 'json/plain' }, data: 'test' }); // is base64 too, but of no JSON
    payloads.push({ metadata: { encoding: 'json/plain' }, data: 'MQ==' });
    payloads.push({ metadata: { encoding: 'binary/null' } });
    const read =
      historyFromJSON(decoded).events![0]!.workflowExecutionStartedEventAttributes!.input!.payloads!;
    expect(read.map(({ data }) => Buffer.from(data!).toString())).toEqual([
      '"World"',
      '{"a":[1]}',
      '"test"',
      '1',
      '',
    ]);
    expect(Buffer.from(read[4]!.metadata!.encoding!).toString()).toBe('binary/null');
  });

  it('are written as proto3 JSON', () => {
    expect(JSON.parse(historyToJSON(historyFromJSON(asTheCliWrites)))).toMatchObject(asTheCliWrites);
  });

  it('are refused with the reason', () => {
    let deep: any = {};
    for (let depth = 0; depth < 10_000; depth++) deep = { cause: deep };
    const wrong: [unknown, RegExp][] = [
      ['{', /no JSON/],
      [{}, /events/],
      [null, /events/],
      [7, /events/],
      [{ events: [{ eventType: 'NoSuchEvent' }] }, /NoSuchEvent/],
      [{ events: [{ eventTime: 'yesterday' }] }, /yesterday/],
      [{ events: [deep] }, /too deep/],
    ];
    for (const [json, reason] of wrong) {
      let error: any;
      try {
        historyFromJSON(json);
      } catch (thrown) {
        error = thrown;
      }
      expect(hasCode(error, 'HISTORY_INVALID')).toBe(true);
      expect(error.message).toMatch(reason);
    }
  });
});

describe('payloads', () => {
  it('come back from their JSON', () => {
    const payload = { metadata: { encoding: Buffer.from('json/plain') }, data: Buffer.from('1') };
    const json = payloadToJSON(payload);
    expect(json).toEqual({ metadata: { encoding: 'anNvbi9wbGFpbg==' }, data: 'MQ==' });
    const back = JSONToPayload(JSON.parse(JSON.stringify(json)));
    expect(Buffer.from(back.data!).toString()).toBe('1');
    expect(Buffer.from(back.metadata!.encoding!).toString()).toBe('json/plain');
    expect(() => JSONToPayload({ data: '*' })).toThrow('base64');
  });
});
