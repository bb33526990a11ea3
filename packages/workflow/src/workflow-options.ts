/** Options that a workflow function carries: versioning behaviour, failure classes, conversion hints. */
import type { WorkflowDefinitionConfig, WorkflowDefinitionOptionsOrGetter } from '@perdure/common';

/** Attaches options, or a function that gives them when a run starts, to a workflow function. */
export function setWorkflowOptions<A extends any[], RT>(
  options: WorkflowDefinitionOptionsOrGetter,
  fn: (...args: A) => Promise<RT>,
): void {
  Object.assign(fn, { workflowDefinitionOptions: options });
}

/** Attaches options of both kinds to a workflow function. */
export function defineWorkflowOptions<A extends any[], RT>(
  fn: (...args: A) => Promise<RT>,
  config: WorkflowDefinitionConfig,
): void {
  const { workflowDefinitionOptions, staticOptions } = config;
  if (workflowDefinitionOptions !== undefined) Object.assign(fn, { workflowDefinitionOptions });
  if (staticOptions !== undefined) Object.assign(fn, { staticOptions });
}
