/** Callers that cancel Nexus operations, and what backs those. */
import {
  CancellationScope,
  CancelledFailure,
  condition,
  createNexusServiceClient,
  defineSignal,
  isCancellation,
  type NexusOperationCancellationType,
  setHandler,
  sleep,
} from '@perdure/workflow';
import * as nexus from 'nexus-rpc';

export const service = nexus.service('audited', { run: nexus.operation<string, string>() });
export const end = defineSignal('end');

const outcome = (result: Promise<unknown>) =>
  result.then(
    () => 'ended',
    (error) => (isCancellation(error) ? 'cancelled' : String(error)),
  );

/** Cancels an operation that nobody has begun to handle. */
export async function cancelsUnstarted(
  endpoint: string,
  cancellationType: NexusOperationCancellationType,
): Promise<string> {
  const client = createNexusServiceClient({ endpoint, service });
  const scope = new CancellationScope();
  const heard = outcome(scope.run(() => client.executeOperation('run', 'x', { cancellationType })));
  await sleep(1); // until it is in the history
  scope.cancel();
  return await heard;
}

/** Cancels an operation that has started. */
export async function cancelsStarted(
  endpoint: string,
  cancellationType: NexusOperationCancellationType,
  id: string,
): Promise<string> {
  const client = createNexusServiceClient({ endpoint, service });
  const scope = new CancellationScope();
  const handle = await scope.run(() => client.startOperation('run', id, { cancellationType }));
  scope.cancel();
  return await outcome(handle.result());
}

/** Ends, as cancelled, no sooner than it is told to. */
export async function lingers(): Promise<string> {
  let told = false;
  setHandler(end, () => {
    told = true;
  });
  await CancellationScope.nonCancellable(() => condition(() => told));
  throw new CancelledFailure('at last');
}
