/**
 * The load on a live worker: one client for all contenders, so that what is compared is the worker alone.
 */

import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { root } from '../../scripts/tools/paths.mjs';

const require = createRequire(join(root, 'bench', 'package.json'));

export class Load {
  static async connect(address) {
    const { Client, Connection } = require('@temporalio/client');
    const connection = await Connection.connect({ address });
    return new Load(connection, new Client({ connection, identity: 'bench' }));
  }

  constructor(connection, client) {
    this.connection = connection;
    this.client = client;
  }

  close() {
    return this.connection.close();
  }

  start(type, taskQueue, args) {
    return this.client.workflow.start(type, { taskQueue, args, workflowId: `bench-${randomUUID()}` });
  }

  /**
   * Runs workflows to their results, `concurrency` at a time.
   * @returns {Promise<{ wallMs: number, latenciesMs: number[] }>}
   */
  async execute(type, taskQueue, args, count, concurrency) {
    const latenciesMs = [];
    let left = count;
    const begin = performance.now();
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (left-- > 0) {
          const before = performance.now();
          const handle = await this.start(type, taskQueue, args);
          await handle.result();
          latenciesMs.push(performance.now() - before);
        }
      }),
    );
    return { wallMs: performance.now() - begin, latenciesMs };
  }

  /**
   * Signals workflows in turn, in a fixed but scattered order, `concurrency` signals at a time.
   * @param handles what `start` has given @param signal called with the number of each signal
   * @returns {Promise<{ wallMs: number }>}
   */
  async signalAll(handles, count, concurrency, signal) {
    let next = 0;
    const begin = performance.now();
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (next < count) {
          const n = next++;
          // 7919 is prime: every workflow has its turn, and neighbours in time are far apart.
          await signal(handles[(n * 7919) % handles.length], n);
        }
      }),
    );
    return { wallMs: performance.now() - begin };
  }

  /** Starts workflows that stay open. */
  async open(type, taskQueue, count, concurrency) {
    let left = count;
    await Promise.all(
      Array.from({ length: concurrency }, async () => {
        while (left-- > 0) await this.start(type, taskQueue, []);
      }),
    );
  }
}

/** Waits until a worker has used less than `idleMs` of CPU in a second. */
export async function untilIdle(worker, idleMs = 30) {
  let last = await worker.usage();
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    const now = await worker.usage();
    if (now.cpuMs - last.cpuMs < idleMs) return now;
    last = now;
  }
}
