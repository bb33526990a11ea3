/** Continue-as-new: ends the run and begins another one of the same workflow with a fresh history. */
import {
  type Duration,
  encodeInitialVersioningBehavior,
  type InitialVersioningBehavior,
  msOptionalToTs,
  type PayloadTypeInfo,
  type SearchAttributePair,
  type SearchAttributes,
  type TypedSearchAttributes,
  type Workflow,
} from '@perdure/common';
import { versioningIntentToProto } from '@perdure/common/lib/versioning-intent';
import type { EventGroupMarker as ProtoMarker } from '@perdure/proto/temporal/api/sdk/v1/event_group_marker';
import type { ContinueAsNewWorkflowExecution } from '@perdure/proto/temporal/sdk/core/workflow_commands/workflow_commands';
import { currentContext } from './async-context';
import { type EventGroupMarker, eventGroupMarkers } from './event-groups';
import { type ContinueAsNewInput, intercept } from './interceptors';
import { argsToPayloads, workflowContext } from './payloads';
import { type Run, requireWritableRun } from './runtime/run';
import { encodeMemo, encodeSearchAttributes } from './search-attributes';

export interface ContinueAsNewOptions {
  /** Default: the current type. */
  workflowType?: string;
  /** Default: the current queue. */
  taskQueue?: string;
  workflowRunTimeout?: Duration;
  workflowTaskTimeout?: Duration;
  /** Wait before the next run's first task. */
  backoffStartInterval?: Duration;
  /** Default: carried over. */
  memo?: Record<string, unknown>;
  /** Default: carried over. */
  typedSearchAttributes?: SearchAttributePair[] | TypedSearchAttributes;
  /** @deprecated use typedSearchAttributes */
  searchAttributes?: SearchAttributes;
  /** @deprecated use initialVersioningBehavior */
  versioningIntent?: 'COMPATIBLE' | 'DEFAULT';
  initialVersioningBehavior?: InitialVersioningBehavior;
  /** Conversion hints. Default: those of the workflow's own definition, if the type stays the same. */
  typeInfo?: Pick<PayloadTypeInfo, 'inputTypes'>;
  eventGroups?: EventGroupMarker[];
}

/** Thrown to unwind the workflow function. Let it pass: a workflow that catches it does not continue. */
export class ContinueAsNew extends Error {
  readonly command: ContinueAsNewWorkflowExecution;
  readonly eventGroupMarkers?: ProtoMarker[];

  constructor(command: ContinueAsNewWorkflowExecution, eventGroupMarkers?: ProtoMarker[]) {
    super('Workflow continued as new');
    this.name = 'ContinueAsNew';
    this.command = command;
    if (eventGroupMarkers !== undefined) this.eventGroupMarkers = eventGroupMarkers;
  }
}

function ownTypeInfo(run: Run): Pick<PayloadTypeInfo, 'inputTypes'> | undefined {
  return (run.definition as { fn: any } | undefined)?.fn.staticOptions?.typeInfo;
}

/** Continues with the same type and options. @throws ContinueAsNew always */
export function continueAsNew<F extends Workflow>(...args: Parameters<F>): Promise<never> {
  return makeContinueAsNewFunc()(...args);
}

/** @returns a function that continues as new with these options */
export function makeContinueAsNewFunc<F extends Workflow>(
  options?: ContinueAsNewOptions,
): (...args: Parameters<F>) => Promise<never> {
  const run = requireWritableRun('continueAsNew()');
  const withType = { ...options, workflowType: options?.workflowType ?? run.workflowType };
  return (...args) => {
    requireWritableRun('continueAsNew()');
    const innermost = async (input: ContinueAsNewInput): Promise<never> => {
      const { options, headers } = input;
      const context = workflowContext(run);
      const sameType = options.workflowType === run.workflowType;
      const typeInfo = options.typeInfo ?? (sameType ? ownTypeInfo(run) : undefined);
      const asyncContext = currentContext();
      const inScope = asyncContext?.eventGroups;
      throw new ContinueAsNew(
        {
          workflowType: options.workflowType,
          taskQueue: options.taskQueue,
          arguments: argsToPayloads(run, input.args, context, typeInfo),
          workflowRunTimeout: msOptionalToTs(options.workflowRunTimeout, 'workflowRunTimeout'),
          workflowTaskTimeout: msOptionalToTs(options.workflowTaskTimeout, 'workflowTaskTimeout'),
          backoffStartInterval: msOptionalToTs(options.backoffStartInterval, 'backoffStartInterval'),
          memo: options.memo && encodeMemo(run, options.memo, context),
          headers,
          searchAttributes: encodeSearchAttributes(options.searchAttributes, options.typedSearchAttributes),
          versioningIntent: versioningIntentToProto(options.versioningIntent),
          initialVersioningBehavior: encodeInitialVersioningBehavior(options.initialVersioningBehavior),
        },
        asyncContext?.inbound !== undefined || inScope !== undefined || options.eventGroups !== undefined
          ? eventGroupMarkers(asyncContext?.inbound, inScope, options.eventGroups)
          : undefined,
      );
    };
    const interceptors = run.interceptors;
    const input: ContinueAsNewInput = { args, headers: {}, options: withType };
    if (interceptors === undefined) return innermost(input);
    return intercept(interceptors.outbound, 'continueAsNew', innermost)(input);
  };
}
