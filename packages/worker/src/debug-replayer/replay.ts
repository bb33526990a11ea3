/** Fetches the debugger's history and replays it; loaded when a debugger is there. */
import { IllegalStateError } from '@perdure/common';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { runReplayHistory } from '../replay';
import { Runtime } from '../runtime';
import type { ReplayWorkerOptions } from '../worker-options';
import { DEBUGGER_HEADERS, DEBUGGER_URL } from './protocol';

/** @throws errors of the replay; an error if the debugger gives no history */
export async function replayUnderDebugger(options: ReplayWorkerOptions): Promise<void> {
  const url = process.env[DEBUGGER_URL];
  if (!url) throw new IllegalStateError(`Missing ${DEBUGGER_URL} environment variable`);
  const response = await fetch(`${url}/history`, { headers: DEBUGGER_HEADERS });
  if (!response.ok) {
    throw new Error(`the debugger at ${url} gave no history: ${response.status} ${await response.text()}`);
  }
  const history = History.decode(new Uint8Array(await response.arrayBuffer()));
  Runtime.instance().workflows.debugTransport = require.resolve('./transport');
  await runReplayHistory({ ...options, debugMode: true }, history);
}
