/** Callers and backers of Nexus operations. */
import { NexusOperationFailure } from '@perdure/common';
import {
  CancellationScope,
  CancelledFailure,
  condition,
  createNexusServiceClient,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  setHandler,
  sleep,
} from '@perdure/workflow';
import * as nexus from 'nexus-rpc';

export const service = nexus.service('tested', {
  sync: nexus.operation<string, string>(),
  run: nexus.operation<string, string>({ name: 'run-op' }),
  typed: nexus.operation<{ how: string; id: string }, string>(),
  fails: nexus.operation<string, never>(),
});

const client = (endpoint: string) => createNexusServiceClient({ endpoint, service });

export async function callsSync(endpoint: string, input: string): Promise<string> {
  return await client(endpoint).executeOperation('sync', input);
}

/** Starts an operation, then waits for it. */
export async function callsRun(endpoint: string, input: string): Promise<[boolean, string]> {
  const handle = await client(endpoint).startOperation(service.operations.run, input);
  return [handle.token !== undefined, await handle.result()];
}

export async function callsTyped(endpoint: string, how: string, id: string): Promise<[boolean, string]> {
  const handle = await client(endpoint).startOperation('typed', { how, id });
  return [handle.token !== undefined, await handle.result()];
}

/** What a failed operation looks like to its caller: class and message of the failure and of its causes. */
export async function describesFailure(endpoint: string, how: string): Promise<unknown[]> {
  try {
    await client(endpoint).executeOperation('fails', how, { scheduleToCloseTimeout: '2m' });
    return [];
  } catch (error) {
    const seen: unknown[] = [
      error instanceof NexusOperationFailure,
      (error as NexusOperationFailure).operation,
    ];
    for (let cause = (error as Error).cause as any; cause; cause = cause.cause) {
      seen.push([cause.name, cause.message, cause.type]);
    }
    return seen;
  }
}

/** Cancels an operation that runs, and tells whether it saw a cancellation. */
export async function cancelsRun(endpoint: string, input: string): Promise<string> {
  try {
    await CancellationScope.cancellable(async () => {
      const handle = await client(endpoint).startOperation('run', input);
      CancellationScope.current().cancel();
      await handle.result();
    });
    return 'ended';
  } catch (error) {
    return isCancellation(error) ? 'cancelled' : String(error);
  }
}

export async function greets(name: string): Promise<string> {
  await sleep(50);
  return `hello, ${name}`;
}

export async function waitsForCancellation(name: string): Promise<string> {
  try {
    await sleep('1 hour');
  } catch (error) {
    if (error instanceof CancelledFailure) throw error;
  }
  return name;
}

export const add = defineSignal<[string]>('add');
export const seen = defineQuery<string[]>('seen');
export const finish = defineUpdate<string, [string]>('finish');

/** Collects signals until it is updated. */
export async function collects(): Promise<string> {
  const words: string[] = [];
  let done = false;
  setHandler(add, (word) => void words.push(word));
  setHandler(seen, () => words);
  setHandler(finish, async (word) => {
    words.push(word);
    await sleep(20);
    done = true;
    return words.join(' ');
  });
  await condition(() => done);
  return words.join(' ');
}
