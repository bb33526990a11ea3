/** Recorded, then replayed as it is and with a line changed (replayed-changed.ts). */
import { log, proxyActivities, sleep } from '@perdure/workflow';

const { step } = proxyActivities<{ step(name: string): Promise<string> }>({ startToCloseTimeout: '10s' });

export async function replayed(name: string): Promise<string> {
  const first = await step(`${name} 1`);
  log.info('between');
  await sleep(100);
  const second = await step(`${name} 2`);
  return `${first}, ${second}`;
}
