/** Where a value that is being converted belongs to, for converters and codecs that care (per-tenant keys). */

/** The payload belongs to a workflow: the target, for child and external workflows. */
export interface WorkflowSerializationContext {
  type: 'workflow';
  namespace: string;
  workflowId: string;
}

/** The payload belongs to an activity. */
export interface ActivitySerializationContext {
  type: 'activity';
  namespace: string;
  activityId?: string;
  /** The workflow that scheduled it, when known. */
  workflowId?: string;
  isLocal: boolean;
}

export type SerializationContext = WorkflowSerializationContext | ActivitySerializationContext;
