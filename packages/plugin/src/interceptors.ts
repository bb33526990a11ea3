/** Lists of interceptors, appended kind by kind. */
import type { ClientInterceptors } from '@perdure/client';
import type { WorkerInterceptors } from '@perdure/worker';
import { appended, defined, merged, type PluginParameter } from './merge';

type WorkflowInterceptors = ClientInterceptors['workflow'];

export function mergeClientInterceptors(
  existing: ClientInterceptors | undefined,
  parameter: PluginParameter<ClientInterceptors> | undefined,
): ClientInterceptors | undefined {
  return merged(existing, parameter, (before, given) => {
    const { workflow: workflowBefore, ...listsBefore } = before;
    const { workflow: workflowGiven, ...listsGiven } = given;
    return defined({
      ...mergeLists(listsBefore, listsGiven),
      workflow: mergeWorkflow(workflowBefore, workflowGiven),
    }) as ClientInterceptors;
  });
}

export function mergeWorkerInterceptors(
  existing: WorkerInterceptors | undefined,
  parameter: PluginParameter<WorkerInterceptors> | undefined,
): WorkerInterceptors | undefined {
  return merged(existing, parameter, (before, given) => {
    const { client: clientBefore, ...listsBefore } = before;
    const { client: clientGiven, ...listsGiven } = given;
    return defined({
      ...mergeLists(listsBefore, listsGiven),
      client: mergeClientInterceptors(clientBefore, clientGiven),
    }) as WorkerInterceptors;
  });
}

function mergeLists(before: object, given: object): Record<string, unknown[] | undefined> {
  const lists: Record<string, unknown[] | undefined> = { ...before };
  for (const [kind, list] of Object.entries(given)) lists[kind] = appended(lists[kind], list);
  return lists;
}

/** The older form is an object with factories; a list next to it becomes factories too. */
function mergeWorkflow(before: WorkflowInterceptors, given: WorkflowInterceptors): WorkflowInterceptors {
  if (before === undefined || given === undefined) return given ?? before;
  if (Array.isArray(before) && Array.isArray(given)) return [...before, ...given];
  return { calls: [...factories(before), ...factories(given)] } as WorkflowInterceptors;
}

function factories(interceptors: NonNullable<WorkflowInterceptors>): unknown[] {
  if (!Array.isArray(interceptors)) return interceptors.calls ?? [];
  return interceptors.map((interceptor) => () => interceptor);
}
