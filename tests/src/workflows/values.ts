/** A workflow that gets values which JSON does not keep. */
import { proxyActivities } from '@perdure/workflow';

const { same, kinds } = proxyActivities<{
  same(value: unknown): Promise<unknown>;
  kinds(value: unknown): Promise<string[]>;
}>({ startToCloseTimeout: '20s', retry: { maximumAttempts: 1 } });

export async function rich(value: Record<string, any>): Promise<unknown> {
  const inWorkflow = [
    typeof value.big,
    value.at instanceof Date ? 'Date' : '?',
    value.map instanceof Map && value.map.get(1n) instanceof Set ? 'Map' : '?',
    typeof value.infinite,
    Array.isArray(value.plain) ? 'Array' : '?',
  ];
  return {
    inWorkflow,
    inActivity: await kinds(value),
    value: await same(value),
    sum: value.big + 1n,
  };
}
