import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** What the tenth test file that makes a worker may pay for its bundle, in time of the processor... */
const LIMIT_MS = 50;
/** ... on a machine that takes so much to load the packages: a slower one may take longer for both. */
const USUAL_LOAD_MS = 100;

describe('the workflow bundle of many test files', () => {
  it('is built by the first alone; the tenth has it for less than 50 ms of the processor', async () => {
    const cache = await mkdtemp(join(tmpdir(), 'perdure-bundle-cache-'));
    try {
      const env = { ...process.env, XDG_CACHE_HOME: cache };
      const files: { loadMs: number; bundleMs: number; hash: string; builds: boolean }[] = [];
      for (let n = 1; n <= 10; n++) {
        const file = join(__dirname, 'testing', 'bundle-once.js');
        const { stdout } = await promisify(execFile)(process.execPath, [file], { env });
        files.push(JSON.parse(stdout));
      }
      expect(files.map(({ builds }) => builds)).toEqual([true, ...Array(9).fill(false)]);
      expect(new Set(files.map(({ hash }) => hash)).size).toBe(1);
      // The best of three: other work on the machine must not decide.
      const best = (figure: 'loadMs' | 'bundleMs') => Math.min(...files.slice(7).map((file) => file[figure]));
      expect(best('bundleMs')).toBeLessThan(LIMIT_MS * Math.max(1, best('loadMs') / USUAL_LOAD_MS));
    } finally {
      await rm(cache, { recursive: true, force: true });
    }
  });
});
