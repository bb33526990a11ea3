/**
 * Activities that signal and cancel workflows of other namespaces, for servers that refuse it as a command.
 *
 * N1  Attempts of one activity send the same request id, so that the server takes a signal once.
 * N2  What no retry can mend fails the activity for good.
 */
import { activityInfo, getClient } from '@perdure/activity';
import type { Client } from '@perdure/client';
import { ApplicationFailure, hasCode } from '@perdure/common';

/** A workflow by namespace and ids. */
export interface ExternalWorkflowTarget {
  /** Default: the namespace of the worker. */
  namespace?: string;
  workflowId: string;
  /** Default: the current run. */
  runId?: string;
}

/** What `externalWorkflowActivities` are: type of the proxy in workflow code. */
export interface ExternalWorkflowActivities {
  /** Signals a workflow, once, however often the activity is tried. */
  signalExternalWorkflow(
    target: ExternalWorkflowTarget,
    signalName: string,
    ...args: unknown[]
  ): Promise<void>;
  /** Asks a workflow to cancel itself. */
  cancelExternalWorkflow(target: ExternalWorkflowTarget): Promise<void>;
}

/**
 * Activities for a worker that reaches other namespaces over its own connection, with its data converter:
 *
 * ```ts
 * // worker
 * await Worker.create({ connection, taskQueue, workflowsPath, activities: { ...externalWorkflowActivities } });
 *
 * // workflow; a type import bundles nothing
 * import type { ExternalWorkflowActivities } from '@perdure/worker';
 * const { signalExternalWorkflow } = proxyActivities<ExternalWorkflowActivities>({ startToCloseTimeout: '10s' });
 * await signalExternalWorkflow({ namespace: 'billing', workflowId: 'invoice-7' }, 'paid', amount);
 * ```
 *
 * They fail with an ApplicationFailure whose type is `WorkflowNotFoundError` or `NamespaceNotFoundError` where the
 * target is not there, and which is not retried; every other error is, as the retry policy has it.
 */
export const externalWorkflowActivities: ExternalWorkflowActivities = {
  async signalExternalWorkflow({ namespace, workflowId, runId }, signalName, ...args) {
    const handle = clientFor(namespace).workflow.getHandle(workflowId, runId);
    await once('signalWorkflowExecution', workflowId, () => handle.signal(signalName, ...args));
  },

  async cancelExternalWorkflow({ namespace, workflowId, runId }) {
    const handle = clientFor(namespace).workflow.getHandle(workflowId, runId);
    await once('requestCancelWorkflowExecution', workflowId, () => handle.cancel());
  },
};

const clients = new WeakMap<Client, Map<string, Client>>();

/** The worker's client, or one like it for another namespace. */
function clientFor(namespace: string | undefined): Client {
  const own: Client = getClient();
  if (namespace === undefined || namespace === own.options.namespace) return own;
  const known = clients.get(own) ?? new Map<string, Client>();
  clients.set(own, known);
  let client = known.get(namespace);
  if (client === undefined) {
    const { plugins: _, ...options } = own.options;
    const { Client } = require('@perdure/client') as typeof import('@perdure/client');
    client = new Client({ ...options, connection: own.connection, namespace });
    known.set(namespace, client);
  }
  return client;
}

/** N1, N2 */
async function once(method: string, workflowId: string, call: () => Promise<unknown>): Promise<void> {
  const { withRequestExtras } =
    require('@perdure/client/lib/request-extras') as typeof import('@perdure/client/lib/request-extras');
  const { workflowExecution, activityId, activityRunId } = activityInfo();
  const requestId = `${workflowExecution?.runId ?? activityRunId ?? ''}/${activityId}`;
  try {
    await withRequestExtras(
      {
        method,
        matches: (request) => request.workflowExecution?.workflowId === workflowId,
        extend: (request) => ({ ...request, requestId }),
      },
      call,
    );
  } catch (error) {
    if (hasCode(error, 'WORKFLOW_EXECUTION_NOT_FOUND') || hasCode(error, 'NAMESPACE_NOT_FOUND')) {
      const { name, message } = error as Error;
      throw ApplicationFailure.create({ message, type: name, nonRetryable: true, cause: error as Error });
    }
    throw error;
  }
}
