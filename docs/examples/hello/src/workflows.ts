import { proxyActivities } from '@perdure/workflow';
import type * as activities from './activities.js';

const { greet } = proxyActivities<typeof activities>({ startToCloseTimeout: '1 minute' });

/** A Workflow: each `await` is a point from which it can go on, in another process and days later. */
export async function hello(name: string): Promise<string> {
  return await greet(name);
}
