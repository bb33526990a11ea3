/**
 * Bytes and texts of any kind into everything in TypeScript that decodes: a result, or an error with a code; never a
 * hang, never a change of what all objects inherit. (`fromJSON` of generated messages throws what it likes: those who take
 * JSON from outside, as historyFromJSON and the codec server do, give the code.) Next to it: packages/core/src/hostile.test.ts for the calls of the
 * addon, crates/hub/tests/hostile.rs for what stands behind them, packages/proto/src/wire.test.ts for messages.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { ActivityRunner } from '@perdure/activity/runner';
import { errorDetails } from '@perdure/client/lib/grpc-failures';
import {
  defaultDataConverter,
  defaultFailureConverter,
  defaultPayloadConverter,
  encodingTypes,
  noopMetricMeter,
  type Payload,
} from '@perdure/common';
import {
  decodeSearchAttributes,
  decodeTypedSearchAttributes,
} from '@perdure/common/lib/converter/payload-search-attributes';
import {
  decodeArrayFromPayloads,
  decodeOptionalFailureToOptionalError,
  decodeReference,
} from '@perdure/common/lib/internal-non-workflow';
import { historyFromJSON, JSONToPayload } from '@perdure/common/lib/proto-utils';
import { loadClientConfigFromToml } from '@perdure/envconfig';
import { CodecRequest, CodecResponse, LaneBatch, TaskBatch } from '@perdure/proto/perdure/core/v1/exchange';
import { Payload as PayloadMessage, Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import { Failure } from '@perdure/proto/temporal/api/failure/v1/message';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { ActivityTask } from '@perdure/proto/temporal/sdk/core/activity_task/activity_task';
import { NexusTask } from '@perdure/proto/temporal/sdk/core/nexus/nexus';
import { WorkflowActivation } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { WorkflowActivationCompletion } from '@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion';
import { readHistory } from '@perdure/testing';
import { CodecStage } from '@perdure/worker/lib/codec-stage';
import { createRuntime } from '@perdure/workflow/runtime';
import fc from 'fast-check';
import Long from 'long';

const utf8 = (text: string) => new TextEncoder().encode(text);

/** Messages as they come, to be spoiled. */
const samples: Uint8Array[] = [
  PayloadMessage.encode(defaultPayloadConverter.toPayload({ a: [1, 'x'] })).finish(),
  Failure.encode(
    defaultFailureConverter.errorToFailure(
      new Error('outer', { cause: new TypeError('inner') }),
      defaultPayloadConverter,
    ),
  ).finish(),
  WorkflowActivation.encode({
    runId: 'run',
    jobs: [
      {
        initializeWorkflow: {
          workflowType: 'wf',
          workflowId: 'w',
          arguments: [defaultPayloadConverter.toPayload(1)],
        },
      },
      { signalWorkflow: { signalName: 's', input: [defaultPayloadConverter.toPayload('x')] } },
      {
        resolveActivity: { seq: 1, result: { completed: { result: defaultPayloadConverter.toPayload(1) } } },
      },
    ],
  }).finish(),
  ActivityTask.encode({
    taskToken: utf8('token'),
    start: { activityType: 'run', activityId: '1', input: [defaultPayloadConverter.toPayload('x')] },
  }).finish(),
  CodecRequest.encode({ id: Long.ONE, groups: [{ payloads: [utf8('x')] }] }).finish(),
  History.encode({
    events: [{ eventId: Long.ONE, workflowExecutionStartedEventAttributes: { workflowId: 'w' } }],
  }).finish(),
];

const spoiled = fc
  .tuple(
    fc.constantFrom(...samples),
    fc.array(fc.tuple(fc.nat(3), fc.nat(500), fc.nat(255)), { minLength: 1, maxLength: 4 }),
  )
  .map(([sample, changes]) => {
    let bytes = [...sample];
    for (const [kind, where, byte] of changes) {
      const at = where % (bytes.length + 1);
      if (kind === 0) bytes[at] = byte;
      else if (kind === 1) bytes = bytes.slice(0, at);
      else if (kind === 2) bytes.splice(at, 0, byte);
      else bytes.push(...bytes.slice(at));
    }
    return Uint8Array.from(bytes);
  });
const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 200 }), spoiled);

/** Text that JSON readers have trouble with. */
const hostileJson = fc.oneof(
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '[{"__proto__":[]},{"toString":null}]',
    `${'['.repeat(20_000)}`,
    `${'['.repeat(2000)}${']'.repeat(2000)}`,
    `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
    '1e999999',
    `${'9'.repeat(5000)}`,
    '-0',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '\ufeff{}',
    '{"a":1,}',
    'nul',
    '',
    '{"events":[{"eventId":"99999999999999999999999"}]}',
    '{"events":[{"eventType":"__proto__","__proto__":{"polluted":1}}]}',
    '{"events":{"length":1e9}}',
    '{"events":[null,1,"x",[]]}',
    '{"payloads":[{"metadata":{"__proto__":"eA=="},"data":"!!!"}]}',
  ),
);
const encodings = fc.oneof(
  fc.constantFrom(...Object.values(encodingTypes), 'binary/encrypted', '__proto__', 'constructor', ''),
  fc.string(),
);
const hostilePayload: fc.Arbitrary<Payload> = fc.record({
  metadata: fc
    .tuple(
      encodings,
      fc.oneof(fc.string(), fc.constantFrom('temporal.api.sdk.v1.ExternalStorageReference', 'Text', 'Int')),
    )
    .map(([encoding, type]) => ({ encoding: utf8(encoding), messageType: utf8(type), type: utf8(type) })),
  data: fc.oneof(hostileJson.map(utf8), anyBytes),
});

/** Holds what a call came to: anything but an error without a code. */
async function settles(what: string, call: () => unknown): Promise<void> {
  const begun = process.cpuUsage();
  try {
    await call();
  } catch (error) {
    if (typeof (error as { code?: unknown }).code !== 'string') {
      throw new Error(`${what} fails without a code: ${String(error)}`, { cause: error });
    }
  }
  // Time of this process: what the machine does besides is not counted.
  const { user, system } = process.cpuUsage(begun);
  if (user + system > 5_000_000) throw new Error(`${what} takes more than five seconds of CPU`);
}

const inherited = () =>
  [Object, Array, Function, String, Uint8Array, Map, Promise].map(
    ({ prototype }) => Reflect.ownKeys(prototype).length,
  );

const before = inherited();
afterEach(() => {
  expect(inherited()).toEqual(before);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

describe('messages', () => {
  const messages = {
    Payload: PayloadMessage,
    Payloads,
    Failure,
    History,
    WorkflowActivation,
    WorkflowActivationCompletion,
    ActivityTask,
    NexusTask,
    LaneBatch,
    TaskBatch,
    CodecRequest,
    CodecResponse,
  };
  it.each(Object.entries(messages))('%s takes any bytes', async (name, message) => {
    await fc.assert(
      fc.asyncProperty(anyBytes, (bytes) => settles(name, () => message.decode(bytes))),
      { numRuns: 300 },
    );
  });
});

describe('converters', () => {
  it('take any payload', async () => {
    await fc.assert(
      fc.asyncProperty(hostilePayload, async (payload) => {
        await settles('fromPayload', () => defaultPayloadConverter.fromPayload(payload));
        await settles('decodeArrayFromPayloads', () =>
          decodeArrayFromPayloads(defaultDataConverter, [payload]),
        );
        await settles('decodeReference', () => decodeReference(payload));
        await settles('decodeSearchAttributes', () => decodeSearchAttributes({ a: payload }));
        await settles('decodeTypedSearchAttributes', () => decodeTypedSearchAttributes({ a: payload }));
      }),
      { numRuns: 500 },
    );
  });

  it('take any failure', async () => {
    await fc.assert(
      fc.asyncProperty(anyBytes, hostilePayload, async (bytes, payload) => {
        await settles('failureToError', async () => {
          const failure = Failure.decode(bytes);
          failure.encodedAttributes = payload;
          failure.applicationFailureInfo = {
            ...failure.applicationFailureInfo,
            details: { payloads: [payload] },
          };
          await decodeOptionalFailureToOptionalError(defaultDataConverter, failure);
        });
      }),
      { numRuns: 300 },
    );
  });
});

describe('texts', () => {
  it('are histories, payloads, configurations, or errors with a code', async () => {
    await fc.assert(
      fc.asyncProperty(hostileJson, async (text) => {
        await settles('historyFromJSON', () => historyFromJSON(text));
        await settles('readHistory', () => readHistory(text));
        await settles('loadClientConfigFromToml', () =>
          loadClientConfigFromToml(utf8(text), { strict: false }),
        );
        let json: any;
        try {
          json = JSON.parse(text);
        } catch {
          return;
        }
        await settles('historyFromJSON', () => historyFromJSON(json));
        await settles('JSONToPayload', () => JSONToPayload(json));
      }),
      { numRuns: 500 },
    );
  });
});

describe('runners', () => {
  it('the runtime of workflows answers any activation with a completion', async () => {
    const storage = new AsyncLocalStorage<unknown>();
    const api = createRuntime(
      {
        entropy: Math.random,
        wallClockMs: () => Date.now(),
        newGlobal: () => ({}),
        runInScope: (store, fn) => storage.run(store, fn),
        currentScope: () => storage.getStore(),
      },
      {},
    );
    const bundle = {
      format: 1 as const,
      workflows: [['wf', 'main', 'wf'] as const],
      interceptors: [],
      payloadConverter: undefined,
      failureConverter: undefined,
      shared: [],
      chunks: [
        [
          'main',
          (_global: unknown, _require: unknown, exports: any) =>
            void Object.assign(exports, { wf: async (x: unknown) => x }),
        ],
      ],
    };
    api.register(
      {
        worker: 1,
        namespace: 'n',
        taskQueue: 'q',
        identity: 'i',
        buildId: 'b',
        replayingSinks: [],
        showStackTraceSources: false,
        logLevel: 'INFO',
        workflowFailureErrorTypes: {},
      },
      bundle as never,
    );
    let answered = 0;
    await fc.assert(
      fc.asyncProperty(anyBytes, async (bytes) => {
        api.begin(1, Uint8Array.from(bytes));
        do await new Promise(setImmediate);
        while (api.step());
        WorkflowActivationCompletion.decode(api.finish());
        answered++;
      }),
      { numRuns: 500 },
    );
    expect(answered).toBeGreaterThanOrEqual(500);
  });

  it('the runner of activities takes any task', async () => {
    const completions: Uint8Array[] = [];
    const runner = new ActivityRunner({
      namespace: 'n',
      taskQueue: 'q',
      activities: { run: async (value: unknown) => value },
      dataConverter: defaultDataConverter,
      logger: { log() {}, trace() {}, debug() {}, info() {}, warn() {}, error() {} },
      metricMeter: noopMetricMeter,
      client: () => undefined,
      hooks: { complete: async (bytes) => void completions.push(bytes), heartbeat: () => undefined },
    });
    await fc.assert(
      fc.asyncProperty(anyBytes, (bytes) => settles('handle', () => runner.handle(bytes))),
      { numRuns: 500 },
    );
    await runner.idle();
    expect(runner.status.inFlight).toBe(0);
    expect(completions.length).toBeGreaterThan(0);
  });

  it('the codec stage of workers answers any request', async () => {
    const answers: Uint8Array[] = [];
    const stage = new CodecStage([], 'n', (answer) => answers.push(answer));
    let requests = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(anyBytes, { maxLength: 3 }), { maxLength: 3 }),
        fc.boolean(),
        async (groups, encode) => {
          requests++;
          await stage.serve({ id: Long.ONE, encode, groups: groups.map((payloads) => ({ payloads })) });
        },
      ),
      { numRuns: 200 },
    );
    expect(answers).toHaveLength(requests);
  });

  it('details of gRPC errors are read or left out', () => {
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(Array.isArray(errorDetails({ metadata: { get: () => [Buffer.from(bytes)] } } as never))).toBe(
          true,
        );
      }),
    );
  });
});
