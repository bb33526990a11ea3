/** Options with which workflows start: what clients, schedules and parents share. */
import type {
  WorkflowIdConflictPolicy as ProtoWorkflowIdConflictPolicy,
  WorkflowIdReusePolicy as ProtoWorkflowIdReusePolicy,
} from '@perdure/proto/temporal/api/enums/v1/workflow';
import type { PayloadTypeInfo } from './converter/type-info';
import type { Duration } from './durations';
import { makeProtoEnumConverters } from './enum-codecs';
import { ValueError } from './errors';
import { isWorkflowFunctionWithStaticOptions, type Workflow } from './interfaces';
import type { Priority } from './priority';
import type { RetryPolicy } from './retry-policy';
import type { SearchAttributePair, SearchAttributes, TypedSearchAttributes } from './search-attributes';

/** Whether the id of a closed workflow may be used again. */
export const WorkflowIdReusePolicy = {
  /** Always. The default. */
  ALLOW_DUPLICATE: 'ALLOW_DUPLICATE',
  /** Only if the last run did not complete. */
  ALLOW_DUPLICATE_FAILED_ONLY: 'ALLOW_DUPLICATE_FAILED_ONLY',
  /** Never. */
  REJECT_DUPLICATE: 'REJECT_DUPLICATE',
  /** @deprecated use `workflowIdConflictPolicy: TERMINATE_EXISTING` */
  TERMINATE_IF_RUNNING: 'TERMINATE_IF_RUNNING',

  /** @deprecated use undefined */
  WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED: undefined,
  /** @deprecated use ALLOW_DUPLICATE */
  WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE: 'ALLOW_DUPLICATE',
  /** @deprecated use ALLOW_DUPLICATE_FAILED_ONLY */
  WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY: 'ALLOW_DUPLICATE_FAILED_ONLY',
  /** @deprecated use REJECT_DUPLICATE */
  WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE: 'REJECT_DUPLICATE',
  /** @deprecated use `workflowIdConflictPolicy: TERMINATE_EXISTING` */
  WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING: 'TERMINATE_IF_RUNNING',
} as const;
export type WorkflowIdReusePolicy = (typeof WorkflowIdReusePolicy)[keyof typeof WorkflowIdReusePolicy];

const reusePolicies = makeProtoEnumConverters<
  NonNullable<WorkflowIdReusePolicy>,
  ProtoWorkflowIdReusePolicy,
  'WORKFLOW_ID_REUSE_POLICY_'
>(
  { ALLOW_DUPLICATE: 1, ALLOW_DUPLICATE_FAILED_ONLY: 2, REJECT_DUPLICATE: 3, TERMINATE_IF_RUNNING: 4 },
  'WORKFLOW_ID_REUSE_POLICY_',
);
export const encodeWorkflowIdReusePolicy = reusePolicies[0];
export const decodeWorkflowIdReusePolicy = reusePolicies[1];

/** What happens if a workflow with the id is running. */
export const WorkflowIdConflictPolicy = {
  /** WorkflowExecutionAlreadyStartedError. */
  FAIL: 'FAIL',
  /** Attach to the running one. */
  USE_EXISTING: 'USE_EXISTING',
  /** Terminate it and start anew. */
  TERMINATE_EXISTING: 'TERMINATE_EXISTING',
} as const;
export type WorkflowIdConflictPolicy =
  (typeof WorkflowIdConflictPolicy)[keyof typeof WorkflowIdConflictPolicy];

const conflictPolicies = makeProtoEnumConverters<
  WorkflowIdConflictPolicy,
  ProtoWorkflowIdConflictPolicy,
  'WORKFLOW_ID_CONFLICT_POLICY_'
>({ FAIL: 1, USE_EXISTING: 2, TERMINATE_EXISTING: 3 }, 'WORKFLOW_ID_CONFLICT_POLICY_');
export const encodeWorkflowIdConflictPolicy = conflictPolicies[0];
export const decodeWorkflowIdConflictPolicy = conflictPolicies[1];

export interface BaseWorkflowOptions {
  /** Default ALLOW_DUPLICATE. */
  workflowIdReusePolicy?: WorkflowIdReusePolicy;
  /** Default FAIL. */
  workflowIdConflictPolicy?: WorkflowIdConflictPolicy;
  /** Retries of the whole workflow. Default none. */
  retry?: RetryPolicy;
  /** Five fields, UTC; the next run is planned when the last has closed. */
  cronSchedule?: string;
  /** Values that are stored with the execution, not indexed; converted by the data converter. */
  memo?: Record<string, unknown>;
  /** @deprecated use typedSearchAttributes */
  searchAttributes?: SearchAttributes;
  /** Indexed values; always JSON, never encoded by codecs. */
  typedSearchAttributes?: SearchAttributePair[] | TypedSearchAttributes;
  /** Several lines of Markdown for UI and CLI. */
  staticDetails?: string;
  /** One line of Markdown for UI and CLI. */
  staticSummary?: string;
  priority?: Priority;
}

export interface WorkflowDurationOptions {
  /** Limit of one run. Default unlimited. */
  workflowRunTimeout?: Duration;
  /** Limit of the whole chain: retries and continue-as-new. Default unlimited. */
  workflowExecutionTimeout?: Duration;
  /** Limit of one workflow task. Default of the server: 10 seconds. */
  workflowTaskTimeout?: Duration;
}

export type CommonWorkflowOptions = BaseWorkflowOptions & WorkflowDurationOptions;

/** Adds `args`, required exactly when the workflow takes arguments. */
export type WithWorkflowArgs<W extends Workflow, T> = T &
  (Parameters<W> extends [any, ...any[]]
    ? {
        /** Arguments of the workflow. */
        args: Parameters<W> | Readonly<Parameters<W>>;
      }
    : {
        /** Arguments of the workflow. */
        args?: Parameters<W> | Readonly<Parameters<W>>;
      });

/** A workflow type by name, with how its values convert. */
export interface WorkflowTypeOptions {
  type: string;
  typeInfo?: PayloadTypeInfo;
}

/**
 * Name of a workflow given by name or as function.
 * @throws {ValueError} the function has no name
 */
export function extractWorkflowType<T extends Workflow>(workflowTypeOrFunc: string | T): string {
  if (typeof workflowTypeOrFunc === 'string') return workflowTypeOrFunc;
  if (typeof workflowTypeOrFunc === 'function') {
    if (workflowTypeOrFunc.name) return workflowTypeOrFunc.name;
    throw new ValueError(
      'Invalid workflow type: the workflow function is anonymous',
      undefined,
      'give the function a name, or pass the name of the workflow type',
    );
  }
  throw new ValueError(
    `Invalid workflow type: expected either a string or a function, got '${typeof workflowTypeOrFunc}'`,
  );
}

/** Name of a workflow, and its type info: that of the call if given, else that of the definition. */
export function extractWorkflowTypeAndConfig<T extends Workflow>(
  workflowTypeOrFunc: string | T,
  callSiteTypeInfo?: PayloadTypeInfo,
): WorkflowTypeOptions {
  const type = extractWorkflowType(workflowTypeOrFunc);
  const typeInfo =
    callSiteTypeInfo ??
    (isWorkflowFunctionWithStaticOptions(workflowTypeOrFunc)
      ? workflowTypeOrFunc.staticOptions.typeInfo
      : undefined);
  return typeInfo === undefined ? { type } : { type, typeInfo };
}
