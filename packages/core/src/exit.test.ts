import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type DevServer, startDevServer } from '@perdure/dev-server';

const CHILD = join(__dirname, 'testing', 'exit-child.js');
/** For what hangs: an orderly end takes some seconds, starting included, on a slow machine many. */
const LIMIT_MS = 60_000;
jest.setTimeout(3 * LIMIT_MS);

let server: DevServer;
beforeAll(async () => {
  server = await startDevServer();
}, 120_000);
afterAll(() => server?.stop());

/** Runs the child to its end; `after` is called once it is up. */
async function ended(how: string, after?: (kill: (signal: NodeJS.Signals) => void) => void) {
  const child = spawn(process.execPath, [CHILD, how, server.address], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  let hung = false;
  child.stdout.on('data', (data) => {
    stdout += data;
    if (stdout === 'up\n') after?.((signal) => child.kill(signal));
  });
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const timer = setTimeout(() => {
    hung = true;
    child.kill('SIGKILL');
  }, LIMIT_MS);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code, signal, hung, stdout, stderr };
}

describe('a process with a polling worker and waiting lanes', () => {
  it('ends by process.exit with the given status', async () => {
    expect(await ended('exit')).toEqual({ code: 7, signal: null, hung: false, stdout: 'up\n', stderr: '' });
  });

  it('ends by process.exit while the worker is still starting', async () => {
    expect(await ended('exit-at-once')).toMatchObject({ code: 7, signal: null, hung: false, stderr: '' });
  });

  it('ends by an uncaught exception', async () => {
    const { stderr, ...rest } = await ended('throw');
    expect(rest).toEqual({ code: 1, signal: null, hung: false, stdout: 'up\n' });
    expect(stderr).toContain('Error: boom');
    expect(stderr).not.toMatch(/panicked|fatal/i);
  });

  it('ends by SIGTERM from inside and from outside', async () => {
    expect(await ended('sigterm')).toMatchObject({ code: null, signal: 'SIGTERM', hung: false });
    expect(await ended('stay', (kill) => kill('SIGTERM'))).toMatchObject({
      code: null,
      signal: 'SIGTERM',
      hung: false,
    });
  });

  it('stays alive as long as the worker polls', async () => {
    const result = await ended('stay', (kill) => setTimeout(() => kill('SIGINT'), 1_500));
    expect(result).toMatchObject({ code: null, signal: 'SIGINT', hung: false });
  });

  it('ends by itself once the worker is finalized, though lanes are open', async () => {
    expect(await ended('finish')).toEqual({ code: 0, signal: null, hung: false, stdout: 'up\n', stderr: '' });
  });

  it.each(['terminate', 'terminate-busy'])('survives the end of its lane threads: %s', async (how) => {
    expect(await ended(how)).toEqual({
      code: 7,
      signal: null,
      hung: false,
      stdout: 'up\nterminated\n',
      stderr: '',
    });
  });
});
