/** Workflows that take slots of every kind. */
import { createNexusServiceClient, proxyActivities, proxyLocalActivities, sleep } from '@perdure/workflow';
import * as nexus from 'nexus-rpc';

export const service = nexus.service('tuned', { echo: nexus.operation<string, string>() });

interface Activities {
  greet(name: string): Promise<string>;
  nearby(name: string): Promise<string>;
}

const { greet } = proxyActivities<Activities>({ startToCloseTimeout: '30s', allowEagerDispatch: false });
const { greet: eagerly } = proxyActivities<Activities>({ startToCloseTimeout: '30s' });
const { nearby } = proxyLocalActivities<Activities>({ startToCloseTimeout: '30s' });

export async function everyKind(endpoint: string): Promise<string[]> {
  const echoed = await createNexusServiceClient({ endpoint, service }).executeOperation('echo', 'there');
  return [await greet('there'), await nearby('there'), echoed];
}

export async function manyAtOnce(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => greet(`${i}`)));
}

export async function manyEagerly(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => eagerly(`${i}`)));
}

export async function manyNearby(count: number): Promise<string[]> {
  return Promise.all(Array.from({ length: count }, (_, i) => nearby(`${i}`)));
}

export async function severalTasks(tasks: number): Promise<number> {
  for (let i = 0; i < tasks; i++) await sleep(1);
  return tasks;
}
