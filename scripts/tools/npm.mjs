/**
 * `npm install`, for a network that fails now and then.
 *
 * N1  What looks like the network's fault is tried again after a pause; any other failure is told at once.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { npmCommand, run } from './exec.mjs';

const NETWORK =
  /EAI_AGAIN|ECONNRESET|ECONNREFUSED|ECONNABORTED|ENOTFOUND|ETIMEDOUT|ENETUNREACH|EPIPE|SOCKET_TIMEOUT|FETCH_ERROR|EINTEGRITY|socket hang up|network|\bE(429|5\d\d)\b/i;
const PAUSES_MS = [5_000, 20_000];
/** Far above what an installation takes; npm itself gives up on a silent network earlier. */
const TIMEOUT_MS = 15 * 60_000;

/**
 * Runs `npm install` quietly.
 * @param {string[]} args packages and flags, on top of those that every installation here has
 * @throws {Error} it has failed, with what npm said
 */
export async function npmInstall(cwd, args) {
  const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
  for (let attempt = 0; ; attempt++) {
    const { code, output } = await run([...npmCommand(), 'install', ...args, ...flags], {
      cwd,
      quiet: true,
      timeoutMs: TIMEOUT_MS,
    });
    if (code === 0) return;
    const pauseMs = NETWORK.test(output) ? PAUSES_MS[attempt] : undefined; // N1
    if (pauseMs === undefined) {
      const often = attempt === 0 ? '' : ` ${attempt + 1} times`;
      throw new Error(`npm install in ${cwd} has failed${often}, with status ${code}:\n${output.trim()}`);
    }
    console.log(`npm install has failed, it seems by the network; once more in ${pauseMs / 1000} s`);
    await sleep(pauseMs);
  }
}
