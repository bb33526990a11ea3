/** A workflow that is in need of a worker all the time. */
import { proxyActivities } from '@perdure/workflow';

const { step } = proxyActivities<{ step(workflow: number, n: number): Promise<number> }>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '10ms' },
});

/** @returns the sum of 0 to `steps - 1` */
export async function stairs(workflow: number, steps: number): Promise<number> {
  let sum = 0;
  for (let n = 0; n < steps; n++) sum += await step(workflow, n);
  return sum;
}
