/** Workflows of the fuzz campaign: programs in a small language, and those that programs deal with. */
import * as workflow from '@perdure/workflow';
import { programOf, type Step } from '@perdure/workflow/lib/testing/program-language';

const { CancellationScope, condition, defineSignal, setHandler, sleep, workflowInfo } = workflow;

const api = { ...workflow, random: Math.random, setTimeout, clearTimeout } as never;

/** Runs a program. @param other id of a running workflow of type `other` */
export async function program(steps: readonly Step[], other: string): Promise<unknown> {
  const isFirst = workflowInfo().continuedFromExecutionRunId === undefined;
  return programOf(api, { other, limitMs: 30_000 })(steps, isFirst ? [steps, other] : undefined)();
}

export async function child(): Promise<string> {
  let greetings = 0;
  setHandler(defineSignal('hi'), () => {
    greetings++;
  });
  await condition(() => greetings > 0, 20);
  await sleep(1);
  return 'done';
}

/** Takes signals and requests to cancel, and stays. */
export async function other(): Promise<void> {
  setHandler(defineSignal('hi'), () => undefined);
  await CancellationScope.nonCancellable(() => condition(() => false));
}
