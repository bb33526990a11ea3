/**
 * The deterministic runtime: activation bytes in, completion bytes out.
 *
 * Owns    the runs of the realm, and the activation that is under way.
 * R1  begin, step and finish never throw for what user code or an activation does: that ends in the completion.
 * R2  Nothing of the bytes given to `begin` is kept or read after it returns: the host may reuse their memory.
 */
import { defaultFailureConverter, defaultPayloadConverter } from '@perdure/common';
import { BinaryReader } from '@perdure/proto/lib/wire';
import { WorkflowActivation } from '@perdure/proto/temporal/sdk/core/workflow_activation/workflow_activation';
import {
  type Success,
  WorkflowActivationCompletion,
} from '@perdure/proto/temporal/sdk/core/workflow_completion/workflow_completion';
import { setHost } from '../async-context';
import { warnOfUnfinishedHandlers } from '../completion';
import { ActivationError, describeError, UnhandledRejectionError } from '../errors';
import { anyImplements, type ConcludeActivationInput, type DisposeInput, intercept } from '../interceptors';
import { rejectBufferedUpdates } from '../updates';
import { ActivationProgress, prepareRun } from './activation';
import { LoadedBundle, RunModules } from './definitions';
import { runtimeFailure, taskFailure } from './failures';
import { runtimeGlobals } from './globals';
import type {
  RuntimeApi,
  RuntimeGlobals,
  RuntimeHost,
  RuntimeParts,
  SinkCallRecord,
  WorkerRegistration,
} from './host';
import { Run, setCurrentRun } from './run';
import type { WorkerState } from './worker-state';

export type { RuntimeApi, RuntimeGlobals, RuntimeHost, RuntimeParts, SinkCallRecord, WorkerRegistration };
export { runtimeGlobals };

/** Copies bytes fields out of the host's memory while decoding (R2). */
class OwningReader extends BinaryReader {
  override bytes(): Uint8Array {
    return super.bytes().slice();
  }
}

/** The activation that begin has started and finish will end. */
interface Underway {
  readonly runId: string;
  readonly run: Run | undefined;
  readonly progress: ActivationProgress | undefined;
  /** What kept the activation from being applied at all. */
  readonly failure: { readonly error: unknown } | undefined;
}

const NOTHING: Underway = { runId: '', run: undefined, progress: undefined, failure: undefined };

/**
 * Makes the runtime of this realm. Call it once: authoring functions belong to the runtime made last.
 * @param modules what chunks can require beside their own, by specifier; those of the host come on top
 */
export function createRuntime(host: RuntimeHost, modules: Readonly<Record<string, object>>): RuntimeApi {
  setHost(host);
  const hostModules = new Map(Object.entries({ ...modules, ...host.hostModules }));
  const workers = new Map<number, WorkerState>();
  let underway: Underway = NOTHING;
  let sinkCalls: SinkCallRecord[] | undefined;

  function open(worker: number, bytes: Uint8Array): Underway {
    let runId = '';
    let run: Run | undefined;
    try {
      const activation = WorkflowActivation.decode(new OwningReader(bytes));
      runId = activation.runId ?? '';
      const state = workers.get(worker);
      if (state === undefined)
        throw new ActivationError(`An activation came for worker ${worker}, which is not registered`);
      run = state.runs.get(runId);
      if (activation.jobs?.length === 1 && activation.jobs[0]?.removeFromCache !== undefined) {
        evict(worker, runId);
        return { ...NOTHING, runId };
      }
      if (run === undefined) {
        const init = activation.jobs?.find((job) => job.initializeWorkflow !== undefined)?.initializeWorkflow;
        if (init === undefined) {
          throw new ActivationError(`An activation came for run ${runId}, which has not been started here`);
        }
        const modules = new RunModules(state.bundle);
        run = new Run(state, runId, init, modules, defaultPayloadConverter, defaultFailureConverter);
        state.runs.set(runId, run);
      }
      setCurrentRun(run);
      const progress = new ActivationProgress(run, activation);
      if (run.definition === undefined) {
        run.startedAtMs = run.nowMs;
        prepareRun(run);
      }
      progress.begin();
      return { runId, run, progress, failure: undefined };
    } catch (error) {
      run?.failTask(error);
      return { runId, run, progress: undefined, failure: { error } };
    }
  }

  function close(): Uint8Array {
    const { run, runId, progress, failure } = underway;
    if (run === undefined) {
      if (failure !== undefined) return failed(undefined, runId, failure.error);
      return WorkflowActivationCompletion.encode({ runId, successful: {} }).finish(); // an eviction
    }
    let failureOfTask = run.taskFailure;
    run.taskFailure = undefined;
    const commands = run.commands;
    run.commands = [];
    if (failureOfTask === undefined) {
      try {
        return succeeded(run, commands);
      } catch (error) {
        failureOfTask = { error };
      } finally {
        takeCalls(run); // interceptors that conclude the activation may have made some
      }
    }
    takeCalls(run);
    progress?.end();
    return failed(run, runId, failureOfTask.error);
  }

  function takeCalls(run: Run): void {
    if (run.sinkCalls === undefined) return;
    sinkCalls = sinkCalls === undefined ? run.sinkCalls : sinkCalls.concat(run.sinkCalls);
    run.sinkCalls = undefined;
  }

  function succeeded(run: Run, commands: Run['commands']): Uint8Array {
    const progress = underway.progress;
    const endsNow = run.completed && !run.over;
    if (endsNow && !commands.some((command) => command.failWorkflowExecution !== undefined)) {
      warnOfUnfinishedHandlers(run);
    }
    if (run.readOnly === undefined) {
      run.commands = commands;
      rejectBufferedUpdates(run);
      run.commands = [];
    }
    let all = commands;
    const internals = run.interceptors?.internals;
    if (anyImplements(internals, 'concludeActivation')) {
      all = intercept(
        internals!,
        'concludeActivation',
        (input: ConcludeActivationInput) => input,
      )({ commands }).commands;
    }
    const successful: Success = { commands: all };
    if (!run.replaying && run.flags.length > 0) successful.usedInternalFlags = run.flags;
    if (run.versioningBehavior !== 0) successful.versioningBehavior = run.versioningBehavior;
    const bytes = WorkflowActivationCompletion.encode({ runId: run.runId, successful }).finish();
    progress?.end();
    return bytes;
  }

  function failed(run: Run | undefined, runId: string, error: unknown): Uint8Array {
    try {
      return encodeFailed(runId, taskFailure(run, error));
    } catch (cause) {
      // A user's failure converter made something that is no Failure.
      return encodeFailed(
        runId,
        runtimeFailure(
          new ActivationError(
            `${describeError(error)} (and its failure could not be encoded: ${describeError(cause)})`,
          ),
        ),
      );
    }
  }

  function encodeFailed(runId: string, failure: object): Uint8Array {
    return WorkflowActivationCompletion.encode({ runId, failed: { failure } }).finish();
  }

  function evict(worker: number, runId: string): void {
    const runs = workers.get(worker)?.runs;
    const run = runs?.get(runId);
    if (run === undefined) return;
    runs?.delete(runId);
    dispose(run);
  }

  function leave(): void {
    underway = NOTHING;
    setCurrentRun(undefined);
  }

  return {
    register(registration, bundle) {
      workers.set(registration.worker, {
        registration,
        bundle: new LoadedBundle(bundle, host, hostModules),
        runs: new Map(),
        replayingSinks: new Set(registration.replayingSinks),
      });
    },

    unregister(worker) {
      workers.delete(worker);
    },

    begin(worker, activation) {
      underway = open(worker, activation);
    },

    step() {
      const { progress, run } = underway;
      if (progress === undefined) return false;
      try {
        return progress.step();
      } catch (error) {
        run?.failTask(error);
        return false;
      }
    },

    unhandledRejection(reason) {
      underway.run?.failTask(new UnhandledRejectionError(reason));
    },

    finish() {
      try {
        return close();
      } finally {
        leave();
      }
    },

    abort(message) {
      const { run, runId, progress } = underway;
      if (run !== undefined) {
        run.commands = [];
        run.sinkCalls = undefined;
        run.taskFailure = undefined;
        progress?.end();
      }
      leave();
      return failed(undefined, runId, new ActivationError(message));
    },

    takeSinkCalls() {
      const calls = sinkCalls;
      sinkCalls = undefined;
      return calls;
    },

    evict,

    get runCount() {
      let count = 0;
      for (const { runs } of workers.values()) count += runs.size;
      return count;
    },
  };
}

/** Tells the run's interceptors that it goes; what they throw concerns nobody. */
function dispose(run: Run): void {
  const internals = run.interceptors?.internals;
  if (!anyImplements(internals, 'dispose')) return;
  setCurrentRun(run);
  try {
    intercept(internals!, 'dispose', (_input: DisposeInput) => undefined)({});
  } catch {
    // The run is gone already; there is no task that could fail.
  } finally {
    setCurrentRun(undefined);
  }
}
