/** In processes of their own: a test runner's `process` is not the real one. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

/** Runs `body` with `onShutdownSignals` and `say` in reach. @returns what it said, and the signal that ended it */
function inProcess(body: string): Promise<{ said: string[]; endedBy: string | null }> {
  const script = `
    const { onShutdownSignals } = require(${JSON.stringify(join(__dirname, 'signals.js'))});
    const say = (text) => require('node:fs').writeSync(1, text + '\\n');
    const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    (async () => { ${body} })();`;
  return new Promise((resolve) => {
    execFile(process.execPath, ['-e', script], (error, stdout) => {
      resolve({ said: stdout.split('\n').filter(Boolean), endedBy: error?.signal ?? null });
    });
  });
}

it('has one handler of the process for any number of workers, and none once nobody waits', async () => {
  const { said } = await inProcess(`
    const forget = Array.from({ length: 20 }, () => onShutdownSignals(['SIGUSR2', 'SIGTERM'], () => undefined));
    say(process.listenerCount('SIGUSR2') + ' ' + process.listenerCount('SIGTERM'));
    for (const each of forget) each();
    say(process.listenerCount('SIGUSR2') + ' ' + process.listenerCount('SIGTERM'));`);
  expect(said).toEqual(['1 1', '0 0']);
});

it('tells every worker once, and leaves the next signal to the process', async () => {
  const { said, endedBy } = await inProcess(`
    const a = new Promise((told) => onShutdownSignals(['SIGUSR2'], () => { say('a'); told(); }));
    const b = new Promise((told) => onShutdownSignals(['SIGUSR2'], () => { say('b'); told(); }));
    const alive = setTimeout(() => {}, 60000);
    process.kill(process.pid, 'SIGUSR2');
    await Promise.all([a, b]);
    clearTimeout(alive);
    await later(50);
    say('still there');
    process.kill(process.pid, 'SIGUSR2');
    await later(60000);`);
  expect(said).toEqual(['a', 'b', 'still there']);
  expect(endedBy).toBe('SIGUSR2');
});
