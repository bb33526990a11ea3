/**
 * What the compiler makes of activities and Nexus operations without a workflow: these types are checked when the tests
 * are compiled. Lines that must not compile carry a @ts-expect-error.
 */
import type {
  ActivityArgs,
  ActivityClientInterceptor,
  ActivityExecutionStatus,
  ActivityHandle,
  ActivityName,
  ActivityOptionsUpdateResult,
  ActivityResult,
  Client,
  NexusClientInterceptor,
  NexusOperationExecutionStatus,
  NexusOperationHandle,
} from '@perdure/client';
import type { Priority } from '@perdure/common';
import type { IsEqual } from '@perdure/common/lib/type-helpers';
import * as nexus from 'nexus-rpc';

/** Fails to compile unless both types are the same. */
function same<Wanted, Given>(_proof: IsEqual<Wanted, Given>): void {}

interface Activities {
  charge(account: string, cents: number): Promise<{ receipt: string }>;
  tick(): Promise<void>;
  greet(name?: string): Promise<string>;
  limit: number;
}
const billing = nexus.service('billing', {
  charge: nexus.operation<{ cents: number }, string>({ name: 'charge-op' }),
  ping: nexus.operation<void, number>(),
});

declare const client: Client;
const base = { id: 'a', taskQueue: 'q', startToCloseTimeout: '1s' } as const;

// Never called: only its types matter.
async function activities() {
  same<'charge' | 'tick' | 'greet', ActivityName<Activities>>(true);
  same<[account: string, cents: number], ActivityArgs<Activities, 'charge'>>(true);
  same<{ receipt: string }, ActivityResult<Activities, 'charge'>>(true);

  const typed = client.activity.typed<Activities>();
  const handle = await typed.start('charge', { ...base, args: ['a', 1] });
  same<ActivityHandle<{ receipt: string }>, typeof handle>(true);
  const result = await typed.execute('charge', { ...base, args: ['a', 1] });
  same<{ receipt: string }, typeof result>(true);
  const constant = ['a', 1] as const;
  await typed.start('charge', { ...base, args: constant });
  const nothing = await typed.execute('tick', base);
  same<void, typeof nothing>(true);
  await typed.execute('greet', base);
  await typed.execute('greet', { ...base, args: ['x'] });
  // @ts-expect-error arguments are missing
  await typed.start('charge', base);
  // @ts-expect-error the second argument must be a number
  await typed.start('charge', { ...base, args: ['a', 'b'] });
  // @ts-expect-error one argument is missing
  await typed.execute('charge', { ...base, args: ['a'] });
  // @ts-expect-error it takes no arguments
  await typed.execute('tick', { ...base, args: [1] });
  // @ts-expect-error there is no such activity
  await typed.execute('refund', base);
  // @ts-expect-error this is no activity
  await typed.execute('limit', base);
  // @ts-expect-error the task queue is missing
  await typed.execute('tick', { id: 'a', startToCloseTimeout: '1s' });
  // @ts-expect-error the id is missing
  await client.activity.execute('by name', { taskQueue: 'q', startToCloseTimeout: '1s' });
  // @ts-expect-error 'soon' is no duration
  await client.activity.execute('by name', { ...base, startDelay: 'soon' });
  // @ts-expect-error there is no such policy
  await client.activity.execute('by name', { ...base, idReusePolicy: 'TERMINATE_EXISTING' });

  const byName = await client.activity.start('by name', { ...base, args: [1, 'anything'] });
  same<ActivityHandle<any>, typeof byName>(true);
  const asText = await client.activity.execute<string>('by name', base);
  same<string, typeof asText>(true);
  const known = client.activity.getHandle<number>('a', 'run');
  same<Promise<number>, ReturnType<typeof known.result>>(true);
  const withOptions = client.activity.getHandleWithOptions<number>('a', { runId: 'run' });
  same<ActivityHandle<number>, typeof withOptions>(true);

  const description = await known.describe({ includeInput: true });
  same<ActivityExecutionStatus, typeof description.status>(true);
  const input = await description.getInput<[string]>();
  same<[string] | undefined, typeof input>(true);
  const changed = await known.updateOptions({ retry: null, priority: { priorityKey: 1 } });
  same<ActivityOptionsUpdateResult, typeof changed>(true);
  same<Priority | undefined, typeof changed.priority>(true);
  // @ts-expect-error a task queue cannot be cleared
  await known.updateOptions({ taskQueue: null });
  // @ts-expect-error a reason is needed
  await known.cancel();
  for await (const { activityId } of client.activity.list('')) same<string, typeof activityId>(true);
  // What could only be done with activities of workflows before, still can.
  await client.activity.complete({ workflowId: 'w', activityId: 'a' }, 'result');

  const interceptor: ActivityClientInterceptor = {
    start: async (next, go) => await go({ ...next, options: { ...next.options, summary: 's' } }),
    list: (next, go) => go(next),
  };
  return interceptor;
}

async function operations() {
  const service = client.nexus.createServiceClient({ endpoint: 'e', service: billing });
  const byKey = await service.startOperation('charge', { cents: 1 }, { id: 'o' });
  same<NexusOperationHandle<string>, typeof byKey>(true);
  const byDefinition = await service.startOperation(billing.operations.charge, { cents: 1 }, { id: 'o' });
  same<NexusOperationHandle<string>, typeof byDefinition>(true);
  const executed = await service.executeOperation('ping', undefined, { id: 'o' });
  same<number, typeof executed>(true);
  const executedByDefinition = await service.executeOperation(billing.operations.ping, undefined, {
    id: 'o',
  });
  same<number, typeof executedByDefinition>(true);
  // @ts-expect-error the input is of another type
  await service.startOperation('charge', { euros: 1 }, { id: 'o' });
  // @ts-expect-error there is no such operation
  await service.startOperation('refund', { cents: 1 }, { id: 'o' });
  // @ts-expect-error the id is missing
  await service.startOperation('charge', { cents: 1 }, {});
  // @ts-expect-error options are missing
  await service.executeOperation('ping', undefined);
  // @ts-expect-error an operation of another service
  await service.startOperation(nexus.operation<number, number>({ name: 'other' }), 1, { id: 'o' });

  const ofResult = client.nexus.getHandle<string>('o');
  same<NexusOperationHandle<string>, typeof ofResult>(true);
  const ofOperation = client.nexus.getHandle<typeof billing.operations.charge>('o', { runId: 'r' });
  same<NexusOperationHandle<string>, typeof ofOperation>(true);
  const { status, state, executionDuration } = await ofResult.describe();
  same<NexusOperationExecutionStatus | undefined, typeof status>(true);
  same<'SCHEDULED' | 'BACKING_OFF' | 'STARTED' | 'BLOCKED' | undefined, typeof state>(true);
  same<number | undefined, typeof executionDuration>(true);
  await ofResult.cancel();

  const interceptor: NexusClientInterceptor = {
    startOperation: async (input, next) => await next({ ...input, headers: { ...input.headers, x: 'y' } }),
    getResult: async (input, next) => await next(input),
  };
  return interceptor;
}

it('compiles with the types that users rely on, and refuses wrong calls', () => {
  expect([activities, operations]).toEqual([expect.any(Function), expect.any(Function)]);
});
