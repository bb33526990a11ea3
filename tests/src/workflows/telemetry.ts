/** A workflow that records metrics and logs. */
import { log, metricMeter, proxyActivities, sleep } from '@perdure/workflow';

const { measured } = proxyActivities<{ measured(): Promise<void> }>({ startToCloseTimeout: '30s' });

export async function measures(): Promise<void> {
  const steps = metricMeter.createCounter('workflow_steps', '1', 'steps taken');
  steps.add(2, { kind: 'first' });
  await sleep(1); // a second workflow task: what was recorded before must not be recorded again
  metricMeter.createHistogram('workflow_size', 'int', 'By').record(512);
  steps.add(1, { kind: 'first' });
  await measured();
  log.info('measured everything', { steps: 3 });
}
