/**
 * Says of a run that does not fit its history any more where its code leaves it; replay.ts does so for replays.
 *
 * The task has been failed by the core already, with a text that names an event but no line of code. Nothing is
 * recorded while workflows run: only now the history is fetched and replayed once with its commands traced.
 *
 * F1  A run is explained once, though the server gives its task again and again.
 * F2  Runs are explained one after the other, and only so many wait: they are likely to be alike.
 * F3  What cannot be explained is told in the core's words; no error leaves this module.
 */
import { SdkComponent } from '@perdure/common';
import type { Evicted } from '@perdure/proto/perdure/core/v1/exchange';
import type { History } from '@perdure/proto/temporal/api/history/v1/message';
import { explainDifference } from './nondeterminism';
import { type Replayed, traceCommands } from './replay';

const WAITING_MAX = 10;
const REMEMBERED_MAX = 1000;

/** Whose runs are explained. */
export interface DriftSource extends Replayed {
  fetchHistory(workflowId: string, runId: string): Promise<History>;
}

export class DriftReporter {
  readonly #told = new Set<string>();
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  /** Logs a warning when the explanation is there. @param source as it is now: code may be replaced */
  report(evicted: Evicted, source: DriftSource): void {
    const { runId = '' } = evicted;
    if (this.#told.has(runId) || this.#waiting >= WAITING_MAX) return; // F1, F2
    if (this.#told.size >= REMEMBERED_MAX) this.#told.clear();
    this.#told.add(runId);
    this.#waiting++;
    this.#last = this.#last.then(() => tell(evicted, source)).finally(() => this.#waiting--);
  }
}

async function tell(
  { workflowId = '', runId = '', message = '' }: Evicted,
  source: DriftSource,
): Promise<void> {
  const { namespace, taskQueue } = source.options;
  let difference: string | undefined;
  let workflowType: string | undefined;
  try {
    const history = await source.fetchHistory(workflowId, runId);
    workflowType = history.events?.[0]?.workflowExecutionStartedEventAttributes?.workflowType?.name;
    difference = explainDifference(history, await traceCommands(source, { workflowId, history }), message);
  } catch (error) {
    // F3
    source.runtime.logger.debug('The commands of a run could not be traced', { workflowId, runId, error });
  }
  source.runtime.logger.warn(difference === undefined ? message : `${message}\n${difference}`, {
    sdkComponent: SdkComponent.worker,
    namespace,
    taskQueue,
    workflowType,
    workflowId,
    runId,
  });
}
