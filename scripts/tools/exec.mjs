/**
 * Child processes: started without a shell, ended with their parent, never waited for twice.
 *
 * E1  A command that reaches its time limit ends with all that it has started: npm alone would leave its script behind.
 */
import { spawn, spawnSync } from 'node:child_process';
import { childEnv, root } from './paths.mjs';

const isWindows = process.platform === 'win32';

/** npm is a shell script on Windows; the node that runs us knows where its npm is only through npm itself. */
export function npmCommand() {
  const cli = process.env.npm_execpath;
  return cli?.endsWith('.js') ? [process.execPath, cli] : [isWindows ? 'npm.cmd' : 'npm'];
}

/** E1 */
function killTree(root) {
  if (isWindows) {
    spawnSync('taskkill', ['/pid', String(root), '/t', '/f']);
    return;
  }
  const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const parents = (stdout ?? '')
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const tree = [root];
  for (const pid of tree)
    tree.push(...parents.filter(([, parent]) => parent === pid).map(([child]) => child));
  for (const pid of tree) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // it has ended meanwhile
    }
  }
}

/**
 * Runs a command to its end.
 * @param {string[]} command program and arguments
 * @param {{ cwd?: string, env?: Record<string, string>, quiet?: boolean, timeoutMs?: number }} options
 *   `quiet` collects the output instead of showing it
 * @returns {Promise<{ code: number, output: string, stdout: string }>} code is 127 when it could not be started, 124
 *   when it ran into `timeoutMs`
 */
export function run(command, { cwd = root, env = {}, quiet = false, timeoutMs } = {}) {
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const child = spawn(program, args, {
      cwd,
      env: childEnv(env),
      stdio: quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit'],
      shell: isWindows && /\.(cmd|bat)$/.test(program),
    });
    let output = '';
    let stdout = '';
    let timedOut = false;
    const timer =
      timeoutMs &&
      setTimeout(() => {
        timedOut = true;
        killTree(child.pid);
      }, timeoutMs);
    child.stdout?.setEncoding('utf8').on('data', (chunk) => {
      stdout += chunk;
      output += chunk;
    });
    child.stderr?.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ code: 127, output: `${program}: ${error.message}`, stdout });
    });
    child.on('close', (code) => {
      clearTimeout(timer);
      if (timedOut)
        resolve({ code: 124, output: `${output}\n${program}: no end after ${timeoutMs} ms`, stdout });
      else resolve({ code: code ?? 1, output, stdout });
    });
  });
}

/** Runs a command and throws, with its output, when it fails. */
export async function must(command, options = {}) {
  const result = await run(command, options);
  if (result.code !== 0) {
    throw new Error(
      `"${command.join(' ')}" ended with status ${result.code}${result.output && `\n${result.output}`}`,
    );
  }
  return result;
}
