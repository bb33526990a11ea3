/** What one more worker of a process costs. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverAddress } from './support/harness';

async function rssBytes(workers: number): Promise<number> {
  const program = join(__dirname, 'support', 'many-workers.js');
  const args = [program, serverAddress(), `queue-${randomUUID()}`, String(workers)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout.trim());
}

it('30 workers with the same workflows need at most 1.3 times the memory of one that does the same work', async () => {
  await rssBytes(1); // fills the cache of bundles, so that both find it there
  const one = await rssBytes(1);
  const thirty = await rssBytes(30);
  expect(one).toBeGreaterThan(0);
  expect(thirty / one).toBeLessThanOrEqual(1.3);
}, 60_000);
