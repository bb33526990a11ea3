/** What one more worker of a process costs. */
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { serverAddress } from './support/harness';

async function rssBytes(workers: number): Promise<number> {
  const program = join(__dirname, 'support', 'many-workers.js');
  const args = ['--expose-gc', program, serverAddress(), `queue-${randomUUID()}`, String(workers)];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return Number(stdout.trim());
}

/** Of three processes: what one of them holds differs by several megabytes, and by more where the machine is busy. */
async function medianRssBytes(workers: number): Promise<number> {
  const all = await Promise.all([1, 2, 3].map(() => rssBytes(workers)));
  return all.sort((a, b) => a - b)[1]!;
}

it('30 workers with the same workflows need at most 1.3 times the memory of one that does the same work', async () => {
  await rssBytes(1); // fills the cache of bundles, so that both find it there
  const one = await medianRssBytes(1);
  const thirty = await medianRssBytes(30);
  expect(one).toBeGreaterThan(0);
  expect(thirty / one).toBeLessThanOrEqual(1.3);
}, 300_000);
