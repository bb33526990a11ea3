/**
 * The message of completions, loaded when it is first needed: lanes need it only for what no realm can say, and
 * loading it takes longer than loading all the rest of a lane.
 */
type Module = typeof import('@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion');

export function completionMessage(): Module['WorkflowActivationCompletion'] {
  const module =
    require('@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion') as Module;
  return module.WorkflowActivationCompletion;
}
