/** Workflows for tests: hand-written bundles, activations as the core sends them, completions as it reads them. */

import { LaneBatch, LaneCompletions } from '@perdure/proto/perdure/core/v1/exchange';
import {
  WorkflowActivation,
  type WorkflowActivationJob,
} from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import { WorkflowActivationCompletion } from '@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion';
import type { WorkerRegistration } from '@perdure/workflow/runtime';
import Long from 'long';
import type { BundleSource } from '../bundle-script';
import type { LaneEnd } from '../transport';

/**
 * A bundle in which each workflow is a chunk of its own.
 * @param workflows body of the workflow function by type. Free: `args`, `wf` (the authoring API), `require_`,
 *   `globalThis` (the run's) and the realm's globals; `module` is an object of the chunk's module scope
 */
export function bundleOf(
  workflows: Readonly<Record<string, string>>,
  extra: Partial<BundleSource> = {},
): BundleSource {
  const types = Object.keys(workflows);
  const chunks = types.map(
    (type, index) => `[${JSON.stringify(`c${index}`)}, (globalThis, require_, exports_) => {
const wf = require_('@perdure/workflow');
const module = {};
exports_.run = async function ${/^\w+$/.test(type) ? type : 'run'}(...args) { ${workflows[type]} };
}]`,
  );
  const code = `'use strict';({ format: 1, workflows: ${JSON.stringify(types.map((type, index) => [type, `c${index}`, 'run']))}, interceptors: [], shared: [], chunks: [${chunks.join(',\n')}] })`;
  return { code, hash: String(hashOf(code)), ...extra };
}
function hashOf(text: string): number {
  let hash = 7;
  for (let i = 0; i < text.length; i++) hash = (hash * 31 + text.charCodeAt(i)) >>> 0;
  return hash;
}

export function registrationOf(worker: number): WorkerRegistration {
  return {
    worker,
    namespace: 'default',
    taskQueue: 'sandbox-tests',
    identity: 'tests',
    buildId: '',
    replayingSinks: [],
    showStackTraceSources: false,
    logLevel: 'ERROR',
    workflowFailureErrorTypes: {},
  };
}

const encodeText = (text: string) => new TextEncoder().encode(text);
export function jsonPayload(value: unknown) {
  return { metadata: { encoding: encodeText('json/plain') }, data: encodeText(JSON.stringify(value)) };
}

/** Seconds of workflow time in which activations happen. */
export const activationSeconds = 1_600_000_000;

export function activationOf(runId: string, jobs: WorkflowActivationJob[], historyLength = 3): Uint8Array {
  return WorkflowActivation.encode({
    runId,
    timestamp: { seconds: Long.fromNumber(activationSeconds), nanos: 0 },
    historyLength,
    jobs,
  }).finish();
}

export function startJob(workflowType: string, args: readonly unknown[] = []): WorkflowActivationJob {
  return {
    initializeWorkflow: {
      workflowType,
      workflowId: `id of ${workflowType}`,
      arguments: args.map(jsonPayload),
      randomnessSeed: Long.fromNumber(42),
      attempt: 1,
      firstExecutionRunId: 'first',
      startTime: { seconds: Long.fromNumber(activationSeconds), nanos: 0 },
    },
  };
}

export interface Completed {
  /** What the workflow returned. */
  readonly value?: unknown;
  /** Message of the failure of the workflow. */
  readonly failed?: string;
  /** Stack of that failure. */
  readonly stack?: string;
  /** Message of the failure of the task. */
  readonly taskFailed?: string;
  /** Names of the commands. */
  readonly commands: readonly string[];
}

/** @param bytes an encoded WorkflowActivationCompletion */
export function readCompletion(bytes: Uint8Array): Completed {
  const { successful, failed } = WorkflowActivationCompletion.decode(bytes);
  if (failed !== undefined) return { taskFailed: failed.failure?.message ?? '', commands: [] };
  const commands = (successful?.commands ?? []).map(
    (command) =>
      Object.keys(command).find(
        (key) =>
          key !== 'userMetadata' &&
          !Array.isArray((command as any)[key]) &&
          (command as any)[key] !== undefined,
      ) ?? '',
  );
  for (const { completeWorkflowExecution, failWorkflowExecution } of successful?.commands ?? []) {
    if (completeWorkflowExecution !== undefined) {
      const data = completeWorkflowExecution.result?.data;
      const text = data === undefined || data.length === 0 ? undefined : new TextDecoder().decode(data);
      return { value: text === undefined ? undefined : JSON.parse(text), commands };
    }
    if (failWorkflowExecution !== undefined) {
      const { message, stackTrace } = failWorkflowExecution.failure ?? {};
      return { failed: message ?? '', stack: stackTrace, commands };
    }
  }
  return { commands };
}

/** A transport's end that keeps what the lane gives it. */
export class CollectingEnd implements LaneEnd {
  readonly completions: Uint8Array[] = [];
  /** How many calls of `complete` brought them. */
  flushes = 0;
  readonly evictRequests: number[] = [];
  closed = false;
  complete(bytes: Uint8Array): void {
    this.flushes++;
    for (const { completion } of LaneCompletions.decode(bytes).items ?? [])
      this.completions.push(completion!);
  }
  evict(count: number): number {
    this.evictRequests.push(count);
    return count;
  }
  close(): void {
    this.closed = true;
  }
}

export function batchOf(
  ...items: readonly {
    worker?: number;
    runId: string;
    activation?: Uint8Array;
    evict?: boolean;
    repeats?: number;
  }[]
): Uint8Array {
  return LaneBatch.encode({ items: items.map((item) => ({ worker: 1, ...item })) }).finish();
}
