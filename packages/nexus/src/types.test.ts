/** What the compiler has to accept and to refuse. Nothing here is run but the test that says so. */
import type { WorkflowHandle as ClientWorkflowHandle } from '@perdure/client';
import type { SignalDefinition, UpdateDefinition } from '@perdure/common';
import type { HandlerStartOperationResult, StartOperationContext } from 'nexus-rpc';
import {
  signalWithStartWorkflow,
  startWorkflow,
  TemporalOperationHandler,
  TemporalOperationResult,
  type WorkflowHandle,
  WorkflowRunOperationHandler,
} from './index';

type Equal<A, B> = (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;
const same = <A, B>(..._equal: Equal<A, B> extends true ? [] : [never]): void => undefined;

declare const ctx: StartOperationContext;
declare const clientHandle: ClientWorkflowHandle<() => Promise<string>>;
declare const workflow: (name: string, times: number) => Promise<string>;
declare const noArgs: () => Promise<number>;
declare const signal: SignalDefinition<[string, number]>;
declare const update: UpdateDefinition<boolean, [string]>;

interface Activities {
  greet(name: string): Promise<string>;
  tick(): Promise<void>;
}

export function accepted(): void {
  new WorkflowRunOperationHandler<string, string>(async (c, name) => {
    const handle = await startWorkflow(c, workflow, { workflowId: 'w', args: [name, 1] });
    same<typeof handle, WorkflowHandle<string>>();
    return handle;
  });
  const byName = startWorkflow(ctx, 'by-name', { workflowId: 'w', taskQueue: 'q', args: ['anything'] });
  same<Awaited<typeof byName>, WorkflowHandle<any>>();
  void signalWithStartWorkflow(ctx, noArgs, { workflowId: 'w', signal, signalArgs: ['a', 1] });
  void signalWithStartWorkflow(ctx, 'name', { workflowId: 'w', signal: 'by-name' });
  const handler = new TemporalOperationHandler<number, string>({
    start: async (_ctx, client, input) => {
      if (input === 0) return TemporalOperationResult.sync('now');
      if (input === 1) return client.startWorkflow(workflow, { workflowId: 'w', args: ['a', input] });
      const activities = client.typedActivity<Activities>();
      await activities.startActivity('tick', { id: 'a', startToCloseTimeout: '1s' });
      return activities.startActivity('greet', { id: 'a', args: ['b'], startToCloseTimeout: '1s' });
    },
    cancelActivity: async (_ctx, { activityId }) => void activityId,
  });
  same<ReturnType<typeof handler.start>, Promise<HandlerStartOperationResult<string>>>();
  new TemporalOperationHandler<void, boolean>({
    start: (_ctx, client) => client.getWorkflowHandle('w').update(update, { args: ['a'] }),
  });
}

export function refused(): void {
  new WorkflowRunOperationHandler<string, number>((c) =>
    // @ts-expect-error the result of the workflow is not that of the operation
    startWorkflow(c, workflow, { workflowId: 'w', args: ['a', 1] }),
  );
  // @ts-expect-error a handle of the client: its workflow has no callback
  new WorkflowRunOperationHandler<string, string>(async () => clientHandle);
  // @ts-expect-error an argument is missing
  void startWorkflow(ctx, workflow, { workflowId: 'w', args: ['a'] });
  // @ts-expect-error the id is missing
  void startWorkflow(ctx, noArgs, {});
  // @ts-expect-error arguments of the signal are of other types
  void signalWithStartWorkflow(ctx, noArgs, { workflowId: 'w', signal, signalArgs: [1, 'a'] });
  // @ts-expect-error a plain value is no result
  new TemporalOperationHandler<void, string>({ start: async () => 'plain' });
  new TemporalOperationHandler<void, string>({
    // @ts-expect-error the update gives a boolean
    start: (_ctx, client) => client.getWorkflowHandle('w').update(update, { args: ['a'] }),
  });
  new TemporalOperationHandler<void, string>({
    start: (_ctx, client) =>
      // @ts-expect-error there is no such activity
      client.typedActivity<Activities>().startActivity('leave', { id: 'a', startToCloseTimeout: '1s' }),
  });
}

it('compiles, so types are inferred and refused as written above', () => {
  expect([accepted, refused]).toEqual([expect.any(Function), expect.any(Function)]);
});
