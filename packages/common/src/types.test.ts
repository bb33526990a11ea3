import {
  type ActivityFunction,
  type ActivityTypeInfoMap,
  type BaseWorkflowHandle,
  type Duration,
  defineSearchAttributeKey,
  type Next,
  type Payload,
  type PayloadCodec,
  type PayloadConverter,
  type RetryPolicy,
  type SearchAttributePair,
  type SignalDefinition,
  type StringValue,
  TimeoutType,
  type UntypedActivities,
  type VersioningOverride,
  type WithWorkflowArgs,
  type WorkflowResultType,
} from '@perdure/common';
import type { IsEqual } from '@perdure/common/lib/type-helpers';

/** Compiles only when both types are the same. */
function same<A, B>(_proof: IsEqual<A, B>): void {}

declare function start<W extends (...args: any[]) => Promise<any>>(
  workflow: W,
  options: WithWorkflowArgs<W, { workflowId: string }>,
): WorkflowResultType<W>;

// The compiler is the test: each wrong line must stay an error.
describe('the types', () => {
  it('require arguments exactly when the workflow takes some', () => {
    async function none(): Promise<number> {
      return 1;
    }
    async function two(_a: string, _b: number): Promise<void> {}
    async function maybe(_a?: string): Promise<void> {}
    const uses = (): void => {
      same<ReturnType<typeof start<typeof none>>, number>(true);
      start(none, { workflowId: 'w' });
      start(two, { workflowId: 'w', args: ['a', 1] });
      start(two, { workflowId: 'w', args: ['a', 1] as const });
      start(maybe, { workflowId: 'w' });
      // @ts-expect-error arguments are missing
      start(two, { workflowId: 'w' });
      // @ts-expect-error wrong type of argument
      start(two, { workflowId: 'w', args: ['a', 'b'] });
    };
    expect(uses).toBeDefined();
  });

  it('take durations as numbers and as texts with a unit', () => {
    const good: Duration[] = [1, '1', '10s', '2 days', '1.5 HOURS', '5 Minutes'];
    // @ts-expect-error no such unit
    const bad: StringValue = '10 parsecs';
    const policy: RetryPolicy = { initialInterval: '1s', maximumAttempts: 3 };
    expect([good, bad, policy]).toBeDefined();
  });

  it('tie search attribute values to their keys', () => {
    const int = defineSearchAttributeKey('N', 'INT');
    const good: SearchAttributePair[] = [{ key: int, value: 1 }];
    // @ts-expect-error a text for a number
    const bad: SearchAttributePair[] = [{ key: int, value: 'x' }];
    expect([good, bad]).toBeDefined();
  });

  it('give interceptors their next step without its last parameter', () => {
    interface Interceptor {
      execute?(input: { n: number }, next: Next<this, 'execute'>): Promise<string>;
    }
    const interceptor: Interceptor = { execute: async (input, next) => next({ n: input.n + 1 }) };
    same<Next<Interceptor, 'execute'>, (input: { n: number }) => Promise<string>>(true);
    expect(interceptor).toBeDefined();
  });

  it('carry the arguments of signals', () => {
    const uses = (
      handle: BaseWorkflowHandle<() => Promise<number>>,
      signal: SignalDefinition<[string, number]>,
    ): void => {
      void handle.signal(signal, 'a', 1);
      // @ts-expect-error an argument is missing
      void handle.signal(signal, 'a');
      same<ReturnType<typeof handle.result>, Promise<number>>(true);
    };
    expect(uses).toBeDefined();
  });

  it('fit implementations that users write', () => {
    const codec: PayloadCodec = {
      encode: async (payloads) => payloads,
      decode: async (payloads) => payloads,
    };
    const converter: PayloadConverter = {
      toPayload: <T>(value: T): Payload => ({ data: new TextEncoder().encode(String(value)) }),
      fromPayload: <T>(payload: Payload): T => new TextDecoder().decode(payload.data) as T,
    };
    const activity: ActivityFunction<[string], number> = async (text) => text.length;
    const untyped: UntypedActivities = { activity };
    const infos: ActivityTypeInfoMap<{ greet(name: string): Promise<string>; version: string }> = {
      greet: {},
    };
    // @ts-expect-error no activity
    infos.version = {};
    const pinned: VersioningOverride = { pinnedTo: { buildId: 'b', deploymentName: 'd' } };
    const timeout: TimeoutType = TimeoutType.HEARTBEAT;
    expect([codec, converter, untyped, pinned, timeout]).toBeDefined();
  });
});
