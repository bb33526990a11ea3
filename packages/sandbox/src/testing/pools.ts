/** A pool of real threads with the host over MessagePorts, for tests. */

import type { LaneWarning } from '../lane';
import { type LaneLostReport, LanePool, type LanePoolOptions } from '../lane-pool';
import { MessagePortHost } from '../transports/message-port';
import {
  activationOf,
  bundleOf,
  type Completed,
  readCompletion,
  registrationOf,
  startJob,
} from './workflows';

export interface TestPool {
  readonly pool: LanePool;
  readonly host: MessagePortHost;
  readonly lost: LaneLostReport[];
  readonly warnings: LaneWarning[];
  readonly sinkCalls: any[];
  /** Sets of lanes, as announced. */
  readonly lanes: (readonly number[])[];
  /** Starts a run and gives what its first activation led to. */
  start(type: string, runId: string, ...args: unknown[]): Promise<Completed>;
  close(): Promise<void>;
}

export async function testPool(
  workflows: Readonly<Record<string, string>>,
  options: Partial<LanePoolOptions> = {},
): Promise<TestPool> {
  const host = new MessagePortHost();
  const lost: LaneLostReport[] = [];
  const warnings: LaneWarning[] = [];
  const sinkCalls: any[] = [];
  const lanes: (readonly number[])[] = [];
  const pool = await LanePool.create({
    ...host.options,
    onLaneLost(report) {
      lost.push(report);
      host.options.onLaneLost!(report);
    },
    onLanesChanged(ids) {
      lanes.push(ids);
      host.options.onLanesChanged!(ids);
    },
    onWarning: (warning) => warnings.push(warning),
    onSinkCalls: (calls) => sinkCalls.push(...calls),
    ...options,
  });
  await pool.register(registrationOf(1), bundleOf(workflows));
  return {
    pool,
    host,
    lost,
    warnings,
    sinkCalls,
    lanes,
    async start(type, runId, ...args) {
      return readCompletion(await host.activate(1, runId, activationOf(runId, [startJob(type, args)])));
    },
    async close() {
      await pool.close();
      host.close();
    },
  };
}
