#!/usr/bin/env node
/**
 * `perdure-with-server COMMAND...`: runs a command with a dev server that ends with it. For test runners without a
 * global setup, such as `node --test` before Node.js 24.
 */
import { spawn } from 'node:child_process';
import { startSharedServer } from './shared-server';

async function main([command, ...args]: string[]): Promise<number> {
  if (command === undefined) {
    process.stderr.write('usage: perdure-with-server COMMAND [ARGUMENT...]\n');
    return 2;
  }
  const stop = await startSharedServer();
  try {
    return await new Promise<number>((resolve, reject) => {
      const child = spawn(command, args, { stdio: 'inherit', shell: process.platform === 'win32' });
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
        process.on(signal, () => child.kill(signal));
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? (signal === null ? 1 : 128)));
    });
  } finally {
    await stop();
  }
}

main(process.argv.slice(2)).then(
  (status) => {
    process.exitCode = status;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal);
  },
  (error) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  },
);
