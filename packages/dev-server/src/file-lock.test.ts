import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withFileLock } from './file-lock';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'perdure-lock-'));
  path = join(dir, 'the.lock');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('a lock file', () => {
  it('of a dead holder is taken over by many at once, one after the other', async () => {
    for (let round = 0; round < 2; round++) {
      writeFileSync(path, String(spawnSync(process.execPath, ['-e', '']).pid));
      let inside = 0;
      let most = 0;
      await Promise.all(
        Array.from({ length: 20 }, () =>
          withFileLock(path, async () => {
            most = Math.max(most, ++inside);
            await sleep(1);
            inside--;
          }),
        ),
      );
      expect(most).toBe(1);
      expect(readdirSync(dir)).toEqual([]);
    }
  });

  it('is taken over by several processes, one after the other', async () => {
    writeFileSync(path, String(spawnSync(process.execPath, ['-e', '']).pid));
    // Each fails where it meets the mark of another.
    const program = `
      const { withFileLock } = require(${JSON.stringify(require.resolve('./file-lock'))});
      const fs = require('node:fs');
      const once = () => withFileLock(${JSON.stringify(path)}, async () => {
        fs.writeFileSync(${JSON.stringify(join(dir, 'mark'))}, '', { flag: 'wx' });
        await new Promise((resolve) => setTimeout(resolve, 2));
        fs.unlinkSync(${JSON.stringify(join(dir, 'mark'))});
      });
      (async () => { for (let n = 0; n < 5; n++) await once(); })();`;
    const statuses = await Promise.all(
      [1, 2, 3].map(
        () =>
          new Promise((resolve) => {
            spawn(process.execPath, ['-e', program], { stdio: 'inherit' }).once('exit', resolve);
          }),
      ),
    );
    expect(statuses).toEqual([0, 0, 0]);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('without a name is void once its holder has had time to write it', async () => {
    const longAgo = new Date(Date.now() - 60_000);
    writeFileSync(path, '');
    utimesSync(path, longAgo, longAgo);
    expect(await withFileLock(path, async () => 'taken')).toBe('taken');
  });
});
