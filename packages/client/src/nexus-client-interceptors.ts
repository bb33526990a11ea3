/** What interceptors of a NexusClient see and may change. */
import type { Duration, Next, SearchAttributePair, TypedSearchAttributes, TypeInfo } from '@perdure/common';
import type { NexusOperationHandle } from './nexus-client';
import type {
  NexusOperationExecution,
  NexusOperationExecutionCount,
  NexusOperationExecutionDescription,
  NexusOperationIdConflictPolicy,
  NexusOperationIdReusePolicy,
} from './nexus-client-types';

export interface StartNexusOperationInput {
  readonly endpoint: string;
  readonly service: string;
  readonly operation: string;
  readonly id: string;
  readonly arg: unknown;
  readonly scheduleToCloseTimeout?: Duration;
  readonly scheduleToStartTimeout?: Duration;
  readonly startToCloseTimeout?: Duration;
  readonly summary?: string;
  readonly idReusePolicy?: NexusOperationIdReusePolicy;
  readonly idConflictPolicy?: NexusOperationIdConflictPolicy;
  readonly searchAttributes?: SearchAttributePair[] | TypedSearchAttributes;
  /** Reach the handler. */
  readonly headers?: Record<string, string>;
  readonly inputType?: TypeInfo<any, any>;
  readonly outputType?: TypeInfo<any, any>;
}

export interface GetNexusOperationResultInput {
  readonly operationId: string;
  /** Absent for the latest run, here and in all that follow. */
  readonly runId?: string;
  readonly outputType?: TypeInfo<any, any>;
}

export interface DescribeNexusOperationInput {
  readonly operationId: string;
  readonly runId?: string;
}

export interface CancelNexusOperationInput {
  readonly operationId: string;
  readonly runId?: string;
  readonly reason?: string;
}

export interface TerminateNexusOperationInput {
  readonly operationId: string;
  readonly runId?: string;
  readonly reason?: string;
}

export interface ListNexusOperationsInput {
  readonly query?: string;
  readonly pageSize?: number;
}

export interface CountNexusOperationsInput {
  readonly query?: string;
}

/** Stands around the calls of a NexusClient; every method is optional and calls `next` to go on. */
export interface NexusClientInterceptor {
  startOperation?: (
    input: StartNexusOperationInput,
    next: Next<this, 'startOperation'>,
  ) => Promise<NexusOperationHandle>;
  getResult?: (input: GetNexusOperationResultInput, next: Next<this, 'getResult'>) => Promise<unknown>;
  describe?: (
    input: DescribeNexusOperationInput,
    next: Next<this, 'describe'>,
  ) => Promise<NexusOperationExecutionDescription>;
  cancel?: (input: CancelNexusOperationInput, next: Next<this, 'cancel'>) => Promise<void>;
  terminate?: (input: TerminateNexusOperationInput, next: Next<this, 'terminate'>) => Promise<void>;
  list?: (
    input: ListNexusOperationsInput,
    next: Next<this, 'list'>,
  ) => AsyncIterable<NexusOperationExecution>;
  count?: (
    input: CountNexusOperationsInput,
    next: Next<this, 'count'>,
  ) => Promise<NexusOperationExecutionCount>;
}
