/**
 * What the compiler makes of calls: these types are checked when the tests are compiled, so that a test that would fail
 * does not build. Lines that must not compile carry a @ts-expect-error.
 */
import {
  type Client,
  type QueryDefinition,
  type SignalDefinition,
  type UpdateDefinition,
  WithStartWorkflowOperation,
  WorkflowClient,
  type WorkflowHandle,
  type WorkflowHandleWithSignaledRunId,
  type WorkflowHandleWithStartDetails,
  type WorkflowUpdateHandle,
} from '@perdure/client';
import type { IsEqual } from '@perdure/common/lib/type-helpers';

/** Fails to compile unless both types are the same. */
function same<Wanted, Given>(_proof: IsEqual<Wanted, Given>): void {}

declare function order(id: string, items: number[]): Promise<{ total: number }>;
declare function noArguments(): Promise<void>;
declare function optionalArgument(name?: string): Promise<string>;

declare const client: Client;
declare const bare: SignalDefinition;
declare const add: SignalDefinition<[item: number, note: string]>;
declare const total: QueryDefinition<number>;
declare const find: QueryDefinition<string | undefined, [id: string]>;
declare const rename: UpdateDefinition<boolean, [name: string]>;
declare const reset: UpdateDefinition<void>;

const base = { workflowId: 'w', taskQueue: 'q' };

// Never called: only its types matter.
async function compileTimeChecks() {
  const started = await client.workflow.start(order, { ...base, args: ['a', [1]] });
  same<WorkflowHandleWithStartDetails<typeof order>, typeof started>(true);
  const result = await started.result();
  same<{ total: number }, typeof result>(true);
  const executed = await client.workflow.execute(order, { ...base, args: ['a', [1]] });
  same<{ total: number }, typeof executed>(true);
  const tuple = ['a', [1]] as const satisfies readonly [string, readonly number[]];
  await client.workflow.start(order, { ...base, args: [tuple[0], [...tuple[1]]] });
  await client.workflow.start(noArguments, base);
  await client.workflow.start(optionalArgument, base);
  await client.workflow.start(optionalArgument, { ...base, args: ['x'] });
  await client.workflow.start('by name', { ...base, args: [1, 'anything'] });
  await client.workflow.start('by name', base);
  // @ts-expect-error arguments are missing
  await client.workflow.start(order, base);
  // @ts-expect-error the first argument must be a string
  await client.workflow.start(order, { ...base, args: [1, [1]] });
  // @ts-expect-error one argument is missing
  await client.workflow.start(order, { ...base, args: ['a'] });
  // @ts-expect-error it takes no arguments
  await client.workflow.start(noArguments, { ...base, args: [1] });
  // @ts-expect-error the task queue is missing
  await client.workflow.start(noArguments, { workflowId: 'w' });
  // @ts-expect-error 'ten seconds' is no duration
  await client.workflow.start(noArguments, { ...base, workflowRunTimeout: 'ten seconds' });

  const handle = client.workflow.getHandle<typeof order>('w');
  same<WorkflowHandle<typeof order>, typeof handle>(true);
  const later = await handle.result();
  same<{ total: number }, typeof later>(true);

  await handle.signal(bare);
  await handle.signal(add, 1, 'note');
  await handle.signal<[number]>('by name', 1);
  // @ts-expect-error arguments are missing
  await handle.signal(add);
  // @ts-expect-error the second argument must be a string
  await handle.signal(add, 1, 2);
  // @ts-expect-error it takes no arguments
  await handle.signal(bare, 1);

  const sum = await handle.query(total);
  same<number, typeof sum>(true);
  const found = await handle.query(find, 'id');
  same<string | undefined, typeof found>(true);
  const named = await handle.query<string, [number]>('by name', 1);
  same<string, typeof named>(true);
  // @ts-expect-error an argument is missing
  await handle.query(find);
  // @ts-expect-error it takes no arguments
  await handle.query(total, 1);

  const renamed = await handle.executeUpdate(rename, { args: ['x'] });
  same<boolean, typeof renamed>(true);
  const cleared = await handle.executeUpdate(reset);
  same<void, typeof cleared>(true);
  const update = await handle.startUpdate(rename, { args: ['x'], waitForStage: 'ACCEPTED' });
  same<WorkflowUpdateHandle<boolean>, typeof update>(true);
  // @ts-expect-error arguments are missing
  await handle.executeUpdate(rename);
  // @ts-expect-error the argument must be a string
  await handle.executeUpdate(rename, { args: [1] });
  // @ts-expect-error the stage is missing
  await handle.startUpdate(reset, {});
  // @ts-expect-error this stage cannot be waited for
  await handle.startUpdate(reset, { waitForStage: 'ADMITTED' });

  const signaled = await client.workflow.signalWithStart(order, {
    ...base,
    args: ['a', []],
    signal: add,
    signalArgs: [1, 'x'],
  });
  same<WorkflowHandleWithSignaledRunId<typeof order>, typeof signaled>(true);
  await client.workflow.signalWithStart(noArguments, { ...base, signal: bare });
  // @ts-expect-error the signal's arguments are missing
  await client.workflow.signalWithStart(noArguments, { ...base, signal: add });
  // @ts-expect-error the signal's arguments are wrong
  await client.workflow.signalWithStart(noArguments, { ...base, signal: add, signalArgs: ['x', 1] });

  const startWorkflowOperation = new WithStartWorkflowOperation(order, {
    ...base,
    args: ['a', []],
    workflowIdConflictPolicy: 'USE_EXISTING',
  });
  same<Promise<WorkflowHandle<typeof order>>, ReturnType<typeof startWorkflowOperation.workflowHandle>>(true);
  const updated = await client.workflow.executeUpdateWithStart(rename, {
    args: ['x'],
    startWorkflowOperation,
  });
  same<boolean, typeof updated>(true);
  const schedule = await client.schedule.create({
    scheduleId: 's',
    spec: { calendars: [{ month: 'MAY', hour: [1, { start: 2, end: 3 }] }], intervals: [{ every: '1h' }] },
    action: { type: 'startWorkflow', workflowType: order, taskQueue: 'q', args: ['a', []] },
  });
  await schedule.update((previous) => ({ ...previous, spec: { ...previous.spec, jitter: '1s' } }));
  await client.schedule.create({
    scheduleId: 's',
    spec: {},
    // @ts-expect-error arguments are missing
    action: { type: 'startWorkflow', workflowType: order, taskQueue: 'q' },
  });
  await client.schedule.create({
    scheduleId: 's',
    // @ts-expect-error months have their English names
    spec: { calendars: [{ month: 'MAI' }] },
    action: { type: 'startWorkflow', workflowType: noArguments, taskQueue: 'q' },
  });

  // only here
  const older = new WorkflowClient().createWorkflowHandle(order, { taskQueue: 'q' });
  const executedSo = await older.execute('a', [1]);
  same<{ total: number }, typeof executedSo>(true);
  same<Promise<string>, ReturnType<typeof older.start>>(true);
  await older.signalWithStart(add, [1, 'x'], ['a', []]);
  // @ts-expect-error the arguments are missing
  await older.execute();
  // @ts-expect-error the first argument must be a string
  await older.start(1, [1]);
  // @ts-expect-error the task queue is missing
  new WorkflowClient().createWorkflowHandle(order, {});
  // end

  // @ts-expect-error the conflict policy is missing
  new WithStartWorkflowOperation(order, { ...base, args: ['a', []] });
}

it('compiles with the types that users rely on, and refuses wrong calls', () => {
  expect(compileTimeChecks).toBeInstanceOf(Function);
});
