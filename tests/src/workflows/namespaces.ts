/** Workflows that reach into another namespace. */

import type { ExternalWorkflowActivities } from '@perdure/worker';
import {
  condition,
  defineSignal,
  getExternalWorkflowHandle,
  proxyActivities,
  setHandler,
  sleep,
  workflowInfo,
} from '@perdure/workflow';

const external = proxyActivities<ExternalWorkflowActivities>({
  startToCloseTimeout: '1m',
  retry: { maximumAttempts: 3, initialInterval: 10 },
});

export async function waitsForNews(): Promise<unknown[]> {
  const news: unknown[] = [];
  setHandler(defineSignal<[unknown]>('news'), (what) => {
    news.push(what);
  });
  await condition(() => news.includes('last'));
  return news;
}

export async function tellsByCommand(namespace: string, workflowId: string): Promise<void> {
  const handle = getExternalWorkflowHandle(workflowId, undefined, {
    namespace,
    crossNamespaceCommands: true,
  });
  await handle.signal('news', 'by command');
  await handle.signal('news', 'last');
}

export async function cancelsByCommand(namespace: string, workflowId: string): Promise<void> {
  await getExternalWorkflowHandle(workflowId, undefined, {
    namespace,
    crossNamespaceCommands: true,
  }).cancel();
}

export async function asksNobody(namespace: string, workflowId: string): Promise<string> {
  try {
    getExternalWorkflowHandle(workflowId, undefined, { namespace });
    return 'got one';
  } catch (error) {
    const { code, hint } = error as { code: string; hint: string };
    return `${code}: ${hint}`;
  }
}

export async function tellsByActivity(namespace: string, workflowId: string): Promise<void> {
  await external.signalExternalWorkflow({ namespace, workflowId }, 'news', 'by activity');
  await external.signalExternalWorkflow({ namespace, workflowId }, 'news', 'last');
}

export async function cancelsByActivity(namespace: string, workflowId: string): Promise<void> {
  await external.cancelExternalWorkflow({ namespace, workflowId });
}

/** Runs until the server suggests to continue as new. */
export async function growsUntilTold(): Promise<unknown> {
  let rounds = 0;
  while (!workflowInfo().continueAsNewSuggested) {
    rounds++;
    await Promise.all(Array.from({ length: 20 }, () => sleep(1)));
    if (rounds > 20) throw new Error('nobody suggested it');
  }
  const { historyLength, suggestedContinueAsNewReasons } = workflowInfo();
  return { rounds, historyLength, suggestedContinueAsNewReasons };
}
