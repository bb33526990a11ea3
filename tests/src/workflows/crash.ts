/** Workflows for workers that are killed. */
import { proxyActivities } from '@perdure/workflow';

interface Activities {
  work(workflow: number, step: number): Promise<number>;
  slow(ms: number): Promise<string>;
  untilCancelled(): Promise<string>;
  never(): Promise<never>;
}

const { work } = proxyActivities<Activities>({
  startToCloseTimeout: '2s',
  retry: { initialInterval: '50ms', backoffCoefficient: 1 },
});
const patient = proxyActivities<Activities>({
  startToCloseTimeout: '20s',
  retry: { initialInterval: '50ms', backoffCoefficient: 1 },
});

export async function severalSteps(workflow: number): Promise<number[]> {
  const results: number[] = [];
  for (let step = 0; step < 4; step++) results.push(await work(workflow, step));
  return results;
}

export async function one(name: 'slow' | 'untilCancelled' | 'never', ms = 0): Promise<string> {
  return patient[name](ms);
}

export async function loopsForever(): Promise<number> {
  let spins = 0;
  while (spins >= 0) spins = (spins + 1) % 1000;
  return spins; // read, so that no optimiser takes the loop away
}
