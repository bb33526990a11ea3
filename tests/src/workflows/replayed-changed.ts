/** replayed.ts after a change that its open runs cannot follow: the timer comes first. */
import { log, proxyActivities, sleep } from '@perdure/workflow';

const { step } = proxyActivities<{ step(name: string): Promise<string> }>({ startToCloseTimeout: '10s' });

export async function replayed(name: string): Promise<string> {
  await sleep(100);
  const first = await step(`${name} 1`);
  log.info('between');
  const second = await step(`${name} 2`);
  return `${first}, ${second}`;
}
