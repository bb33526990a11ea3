import { proxyActivities, sleep } from '@perdure/workflow';
import { polite } from './helpers';

interface Activities {
  greet(name: string): Promise<string>;
}

const { greet } = proxyActivities<Activities>({ startToCloseTimeout: '1 minute' });

export async function greeting(name: string): Promise<string> {
  await sleep(1);
  return await greet(polite(name));
}

/** Nobody calls it: coverage has to say so. */
export async function farewell(name: string): Promise<string> {
  await sleep(1000);
  return await greet(`and goodbye, ${name}`);
}
