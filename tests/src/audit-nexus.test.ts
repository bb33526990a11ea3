/** When callers of Nexus operations hear of a cancellation that they have asked for, by type, on a real server. */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { startWorkflow, WorkflowRunOperationHandler } from '@perdure/nexus';
import type { Worker } from '@perdure/worker';
import * as nexus from 'nexus-rpc';
import { eventNames, harness, replayAll, until, workflowsDir } from './support/harness';
import { end, lingers, service } from './workflows/audit-nexus';

const h = harness();
const workflowsPath = join(workflowsDir, 'audit-nexus.ts');
const SHOWS_LATE_MS = 60_000;
let worker: Worker;

async function endpointOf(taskQueue: string): Promise<string> {
  const name = `endpoint-${randomUUID()}`;
  await h.client.connection.operatorService.createNexusEndpoint({
    spec: { name, target: { worker: { namespace: 'default', taskQueue } } },
  });
  return name;
}

beforeAll(async () => {
  const handler = nexus.serviceHandler(service, {
    run: new WorkflowRunOperationHandler<string, string>((ctx, workflowId) =>
      startWorkflow(ctx, lingers, { workflowId }),
    ),
  });
  worker = await h.worker({ workflowsPath, nexusServices: [handler] });
  h.background(worker);
});

it.each(['TRY_CANCEL', 'ABANDON'] as const)(
  'by %s a caller hears at once, even of an operation that nobody has begun to handle',
  async (cancellationType) => {
    const nobody = await endpointOf(`idle-${randomUUID()}`);
    const handle = await h.start(worker, 'cancelsUnstarted', [nobody, cancellationType]);
    expect(await handle.result()).toBe('cancelled');
    const names = await eventNames(handle);
    expect(names).toContain('NexusOperationScheduled');
    expect(names).not.toContain('NexusOperationStarted');
    expect(names.includes('NexusOperationCancelRequested')).toBe(cancellationType === 'TRY_CANCEL');
  },
);

it.each([
  ['ABANDON', [], false],
  ['TRY_CANCEL', ['NexusOperationCancelRequested'], false],
  [
    'WAIT_CANCELLATION_REQUESTED',
    ['NexusOperationCancelRequested', 'NexusOperationCancelRequestCompleted'],
    false,
  ],
  [
    'WAIT_CANCELLATION_COMPLETED',
    ['NexusOperationCancelRequested', 'NexusOperationCancelRequestCompleted', 'NexusOperationCanceled'],
    true,
  ],
] as const)('by %s a caller hears when its history has %j', async (cancellationType, expected, waits) => {
  const id = `lingers-${randomUUID()}`;
  const endpoint = await endpointOf(worker.options.taskQueue);
  const handle = await h.start(worker, 'cancelsStarted', [endpoint, cancellationType, id]);
  const backing = h.client.workflow.getHandle(id);
  const after = async () => {
    const names = await eventNames(handle);
    return names.slice(names.indexOf('NexusOperationStarted') + 1);
  };
  if (waits) {
    const asked = async () => (await after()).includes('NexusOperationCancelRequestCompleted');
    await until(asked, 'the cancellation has been asked for', SHOWS_LATE_MS);
    expect((await handle.describe()).status.name).toBe('RUNNING');
    await backing.signal(end);
  }
  expect(await handle.result()).toBe('cancelled');
  const names = await after();
  expect(names.at(-1)).toBe('WorkflowExecutionCompleted');
  // What was asked for may be answered before the caller has ended, though it does not wait for that.
  expect(names.slice(0, expected.length)).toEqual(expected);
  if (!waits) {
    expect(names).not.toContain('NexusOperationCanceled');
    expect((await backing.describe()).status.name).toBe('RUNNING');
    await backing.terminate();
  }
  if (cancellationType === 'ABANDON') expect(names).toEqual(['WorkflowExecutionCompleted']);
});

it('every history of this file replays from an empty cache', async () => {
  expect(h.started.length).toBeGreaterThan(5);
  expect(await replayAll(h, { workflowsPath })).toEqual([]);
});
