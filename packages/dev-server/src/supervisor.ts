/**
 * Runs a server process that cannot outlive its owner.
 *
 * Between the owner and the server stands a `/bin/sh` (about 1 MB) that holds one end of a pipe; the owner holds the
 * other. When the pipe closes, whatever the reason (`stop()`, the end of the process, `kill -9`), the shell ends the
 * server. On Windows, where there is no such shell, a small Node.js process does the same.
 *
 * Owns    the supervising process, the pipe, the file that takes the server's output.
 * S1  The server ends when the owner does, also if the owner never runs another instruction.
 * S2  The server is in a process group of its own: Ctrl-C in a terminal reaches the owner alone, which can still
 *     finish its work with the server before it stops it.
 * S3  Neither the server nor its supervisor keeps the owner's event loop alive.
 * S4  The server's output goes to a file, never through the owner: a busy owner does not block the server.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * $1 directory of the output, removed at the end; $2 seconds between asking and forcing the server to end, 0 to force
 * at once; then the command. Descriptor 3 is the pipe to the owner: the server's pid goes out, the order to stop (any
 * line, or the end of the pipe) comes in.
 */
const SCRIPT = `
dir=$1; grace=$2; shift 2
"$@" 3<&- &
server=$!
echo "$server" >&3
{
  read -r order
  if [ "$grace" != 0 ]; then
    kill -TERM "$server"
    while [ "$grace" -gt 0 ] && kill -0 "$server"; do sleep 1; grace=$((grace - 1)); done
  fi
  kill -KILL "$server"
} <&3 >/dev/null 2>&1 &
watch=$!
exec 3<&-
wait "$server"
status=$?
kill -KILL "$watch" 2>/dev/null
rm -f "$dir/server.log"; rmdir "$dir"
exit "$status"
`;

/** The same for Windows: no output directory to clean, no grace (there is no signal to ask with). */
const WINDOWS_SCRIPT = `
const [command, ...args] = process.argv.slice(1);
const { Socket } = require('node:net');
const owner = new Socket({ fd: 3 });
const server = require('node:child_process').spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit'] });
server.on('error', () => process.exit(127));
server.on('exit', (code) => process.exit(code ?? 1));
owner.write(server.pid + '\\n');
for (const event of ['data', 'end', 'error', 'close']) owner.on(event, () => server.kill());
`;

/** How much of the server's output an error shows, in characters. */
const SHOWN_OUTPUT = 3000;

export interface Supervised {
  /** Process id of the server itself. */
  readonly pid: number;
  /** File with everything that the server has printed; removed when it ends. */
  readonly logFile: string;
  /** Settles once the server has ended, with its exit status (128 + n for signal n). */
  readonly exited: Promise<number>;
  /** Whether the server has ended. */
  hasExited(): boolean;
  /** The end of the server's output, also after its end. */
  output(): string;
  /** Ends the server and waits for it. May be called often. */
  stop(): Promise<void>;
}

export interface SuperviseOptions {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** Time between asking the server to end and forcing it, in whole seconds; 0 forces at once. */
  readonly graceSeconds: number;
}

/**
 * Starts a server under supervision.
 * @throws {Error} the supervising process could not be started
 */
export async function supervise({ command, args, env, graceSeconds }: SuperviseOptions): Promise<Supervised> {
  const dir = mkdtempSync(join(tmpdir(), 'perdure-server-'));
  const logFile = join(dir, 'server.log');
  const log = openSync(logFile, 'a');
  // Before the shell begins: a server that ends at once takes the file with it, and only a descriptor outlives that.
  const keptLog = openSync(logFile, 'r');
  const windows = process.platform === 'win32';
  const child: ChildProcess = spawn(
    windows ? process.execPath : '/bin/sh',
    windows
      ? ['-e', WINDOWS_SCRIPT, '--', command, ...args]
      : ['-c', SCRIPT, 'perdure-supervisor', dir, String(graceSeconds), command, ...args],
    { detached: true, env, stdio: ['ignore', log, log, 'pipe'], windowsHide: true }, // S2, S4
  );
  closeSync(log);
  let finalOutput: string | undefined;
  const output = () => {
    if (finalOutput !== undefined) return finalOutput;
    try {
      return readFileSync(logFile, 'utf8').slice(-SHOWN_OUTPUT).trim();
    } catch {
      return '';
    }
  };
  let exited = false;
  const exit = new Promise<number>((resolve) => {
    const ended = (status: number) => {
      if (exited) return;
      exited = true;
      try {
        finalOutput = readFileSync(keptLog, 'utf8').slice(-SHOWN_OUTPUT).trim();
      } finally {
        closeSync(keptLog);
      }
      rmSync(dir, { recursive: true, force: true });
      resolve(status);
    };
    child.once('error', () => ended(127));
    child.once('exit', (code, signal) => ended(code ?? (signal === null ? 1 : 128)));
  });
  const pipe = child.stdio[3] as Socket;
  pipe.on('error', () => {}); // the server's end is reported by the child's exit
  const pid = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    let text = '';
    pipe.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      if (text.includes('\n')) resolve(Number.parseInt(text, 10));
    });
    pipe.once('close', () => reject(new Error('the supervising process ended before the server started')));
  });
  child.unref(); // S3
  pipe.unref();
  let stopping: Promise<void> | undefined;
  const stop = async () => {
    if (exited) return;
    child.ref(); // whoever waits for the end keeps the loop alive until then
    pipe.end();
    const deadline = setTimeout(
      () => {
        try {
          process.kill(-child.pid!, 'SIGKILL'); // the whole group: shell and server
        } catch {
          child.kill('SIGKILL');
        }
      },
      (graceSeconds + 5) * 1000,
    );
    await exit;
    clearTimeout(deadline);
  };
  return {
    pid,
    logFile,
    exited: exit,
    hasExited: () => exited,
    output,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}
