/** Thread that calls the debugger while the main thread waits. */
import { parentPort } from 'node:worker_threads';
import { DEBUGGER_HEADERS, DEBUGGER_TIMEOUT_MS, DEBUGGER_URL } from './protocol';
import type { CallRequest } from './transport';

async function call({ eventId, outcome }: CallRequest): Promise<void> {
  const word = new Int32Array(outcome);
  try {
    const response = await fetch(`${process.env[DEBUGGER_URL]}/current-wft-started`, {
      method: 'POST',
      headers: { ...DEBUGGER_HEADERS, 'Content-Type': 'application/json' },
      body: JSON.stringify({ eventId }),
      signal: AbortSignal.timeout(DEBUGGER_TIMEOUT_MS),
    });
    if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
    await response.arrayBuffer();
    Atomics.store(word, 0, 1);
  } catch (error) {
    console.error(error);
    Atomics.store(word, 0, 2);
  } finally {
    Atomics.notify(word, 0);
  }
}

parentPort?.on('message', (request: CallRequest) => void call(request));
