/**
 * Picks TCP ports for servers that are about to start.
 *
 * P1  Ports lie below the ranges from which systems hand out ports to outgoing connections, so that no connection
 *     takes one between the choice and the server's bind.
 * P2  Two processes that use this module at the same time never get the same port: each claims it by a file.
 */
import { closeSync, mkdirSync, openSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const FIRST_PORT = 14_000;
const LAST_PORT = 31_999; // Linux hands out 32768 and up, the others 49152 and up
/** A claim whose owner died is void after this time; a start takes seconds, on a slow machine a minute. */
const CLAIM_MS = 120_000;
const ATTEMPTS = 200;

export interface ClaimedPort {
  readonly port: number;
  /** Gives up the claim; called once the server itself holds the port. */
  release(): void;
}

/** Whether a server could listen there now. */
export function canBind(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}

function claim(file: string): boolean {
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      closeSync(openSync(file, 'wx'));
      return true;
    } catch {
      try {
        if (Date.now() - statSync(file).mtimeMs < CLAIM_MS) return false;
      } catch {
        continue; // released in this moment
      }
      rmSync(file, { force: true });
    }
  }
  return false;
}

/** Claims a free port on `host`. */
export async function claimPort(host: string): Promise<ClaimedPort> {
  const dir = join(tmpdir(), `perdure-ports-${process.getuid?.() ?? 0}`);
  mkdirSync(dir, { recursive: true });
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const port = FIRST_PORT + Math.floor(Math.random() * (LAST_PORT - FIRST_PORT + 1));
    const file = join(dir, String(port));
    if (!claim(file)) continue; // P2
    if (await canBind(port, host)) return { port, release: () => rmSync(file, { force: true }) };
    rmSync(file, { force: true });
  }
  throw new Error(`no free port between ${FIRST_PORT} and ${LAST_PORT} on ${host}`);
}
