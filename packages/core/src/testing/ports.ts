/** Ports for those who have to name one before it is listened on. */
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the range from which systems hand out ports to connections that go out, and above the one of @perdure/dev-server:
 * nothing but another caller of this can take the port between the choice and its use.
 */
const FIRST = 32_000;
const LAST = 32_767;

export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 1_000; attempt += 1) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST + 1));
    const probe = createServer().listen(port, '127.0.0.1');
    const free = await once(probe, 'listening').then(
      () => true,
      () => false,
    );
    if (free) await new Promise((resolve) => probe.close(resolve));
    if (free) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${LAST}`);
}
