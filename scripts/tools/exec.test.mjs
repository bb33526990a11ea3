import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { run } from './exec.mjs';

/** Whoever adopts a process that was killed need not notice it: to `ps` it is a zombie then. */
function lives(pid) {
  if (process.platform === 'win32') {
    const { stdout } = spawnSync('tasklist', ['/fi', `PID eq ${pid}`, '/nh'], { encoding: 'utf8' });
    return stdout.includes(String(pid));
  }
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' });
  return /^[^Z\s]/.test(stdout.trim());
}

test('a command that reaches its limit ends with all that it has started', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'perdure-exec-'));
  try {
    const file = join(dir, 'pid');
    const started = `require('node:fs').writeFileSync(${JSON.stringify(file)}, process.pid + '.'); setInterval(() => {}, 1000);`;
    const command = `require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(started)}], { stdio: 'inherit' });`;
    // Longer where the machine is too slow to have started it in time.
    for (let timeoutMs = 1_000; !existsSync(file); timeoutMs *= 3) {
      const { code, output } = await run([process.execPath, '-e', command], { quiet: true, timeoutMs });
      assert.equal(code, 124);
      assert.match(output, new RegExp(`no end after ${timeoutMs} ms`));
    }
    const pid = Number.parseInt(await readFile(file, 'utf8'), 10);
    while (lives(pid)) await sleep(20); // the system may take a moment
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

test('a command that cannot be started is told apart from one that fails', async () => {
  assert.equal((await run(['no-such-command-anywhere'], { quiet: true })).code, 127);
  assert.equal((await run([process.execPath, '-e', 'process.exit(3)'], { quiet: true })).code, 3);
});
