/** Watch mode's other half: what it asks of a worker's server and replayer. Loaded only when a worker watches. */
import type { Client } from '@perdure/client';
import type { HistoryAndWorkflowId } from '@perdure/common';
import { type ReplayResult, runReplayHistories } from './replay';
import type { CompiledWorkerOptions } from './worker-options';
import type { LoadedBundle } from './workflow-host';

export { WorkflowWatch } from './workflow-watch';

/**
 * Replays open workflows of a worker's task queue on other code, most recently started first.
 * @param limit at most so many
 * @throws what the server answers; errors of the sandbox
 */
export async function* replayOpenWorkflows(
  client: Client,
  options: CompiledWorkerOptions,
  bundle: LoadedBundle,
  limit: number,
): AsyncIterableIterator<ReplayResult> {
  const { inlineSourceMap } = require('@perdure/bundler') as typeof import('@perdure/bundler');
  const { sourceMap } = bundle;
  const code = sourceMap === undefined ? bundle.code : inlineSourceMap(bundle.code, sourceMap);
  yield* runReplayHistories(
    {
      workflowBundle: { code },
      dataConverter: options.dataConverter,
      workflowFailureErrorTypes: failureTypes(options),
      reuseV8Context: options.reuseV8Context,
      identity: options.identity,
    },
    openHistories(client, options.taskQueue, limit),
  );
}

async function* openHistories(
  client: Client,
  taskQueue: string,
  limit: number,
): AsyncIterable<HistoryAndWorkflowId> {
  const query = `TaskQueue = '${taskQueue.replaceAll("'", "\\'")}' AND ExecutionStatus = 'Running'`;
  let left = limit;
  for await (const { workflowId, runId } of client.workflow.list({ query, pageSize: limit })) {
    if (left-- === 0) return;
    try {
      yield { workflowId, history: await client.workflow.getHandle(workflowId, runId).fetchHistory() };
    } catch (error) {
      if ((error as Error)?.name !== 'WorkflowNotFoundError') throw error; // has ended and gone meanwhile
    }
  }
}

function failureTypes({ workflowFailureErrorTypes }: CompiledWorkerOptions): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(workflowFailureErrorTypes).map(([type, names]) => [type, [...names]]),
  );
}
