/** Programs of these tests that run in processes of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { until } from './harness';

export interface Program {
  readonly child: ChildProcess;
  /** Everything it has printed. */
  output(): string;
  says(text: string, limitMs?: number): Promise<void>;
  /** Exit code or signal, once everything that it has printed is here. */
  readonly ended: Promise<number | string>;
}

const running = new Set<ChildProcess>();

/** @param program its path below tests/lib */
export function startProgram(program: string, env: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, [join(__dirname, '..', program)], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (chunk: string) => {
      output += chunk;
    });
  }
  const ended = new Promise<number | string>((resolve) => {
    child.on('close', (code, signal) => {
      running.delete(child);
      resolve(code ?? signal ?? 'unknown');
    });
  });
  return {
    child,
    output: () => output,
    says: (text, limitMs) =>
      until(() => output.includes(text), `the program says ${text}`, limitMs).catch((error: Error) => {
        throw new Error(`${error.message}; it has said:\n${output}`);
      }),
    ended,
  };
}

/** Ends what a test that failed has left behind. */
export function endPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
}

/** What a promise gives within `limitMs`, with the program's output if it gives nothing. */
export function within<T>(promise: Promise<T>, limitMs: number, program: Program): Promise<T> {
  let timer: NodeJS.Timeout;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`nothing within ${limitMs} ms:\n${program.output()}`)),
      limitMs,
    );
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}
