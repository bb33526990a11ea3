/**
 * A server, worker processes and, if wished for, an unsteady network between them.
 *
 * Owns    the processes, the file in which activities leave their traces, the port of the server.
 * W1  A server that is restarted has its state from before, and its address.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import { type Program, startProgram, within } from '../support/programs';
import type { Random } from '../support/random';
import { UnsteadyProxy } from '../support/unsteady-proxy';

/** For a process to start or to end: more than either takes anywhere. */
const LIMIT_MS = 120_000;

/** How long the network is unsteady; the load of a campaign takes less. */
const UNSTEADY_MS = 60_000;

export interface WorldOptions {
  readonly taskQueue: string;
  readonly seed: number;
  readonly proxy: boolean;
  /** Whether the server has to keep its state over a restart, which costs it half of its speed. */
  readonly durable: boolean;
  /** Whether workers have their workflows in processes. */
  readonly lanesInProcesses: boolean;
}

export class World {
  readonly workers: Program[] = [];
  /** What went wrong that no result shows. */
  readonly complaints: string[] = [];
  readonly counts = { killed: 0, stopped: 0, restarts: 0, lanes: 0 };
  readonly #ended: Program[] = [];

  private constructor(
    private readonly options: WorldOptions,
    private readonly directory: string,
    private server: DevServer,
    readonly proxy: UnsteadyProxy | undefined,
  ) {}

  static async create(options: WorldOptions): Promise<World> {
    // What has to survive is the end of the server, not of the machine: memory will do, and is many times faster.
    const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'perdure-chaos-'));
    const server = await startDevServer(serverOptions(directory, options.durable));
    const proxy = options.proxy ? await UnsteadyProxy.listen(server.address, options.seed) : undefined;
    // On a machine that takes longer for a call than the network stands nothing would ever get through.
    setTimeout(() => proxy?.calm(), UNSTEADY_MS).unref();
    const world = new World(options, directory, server, proxy);
    await Promise.all([world.startWorker(), world.startWorker()]);
    return world;
  }

  /** Where everybody connects to. */
  get address(): string {
    return this.proxy?.address ?? this.server.address;
  }

  /** The server itself, for looking at what has become of it all. */
  get serverAddress(): string {
    return this.server.address;
  }

  async startWorker(): Promise<void> {
    const worker = startProgram('chaos/worker-process.js', {
      CHAOS_ADDRESS: this.address,
      CHAOS_QUEUE: this.options.taskQueue,
      CHAOS_FILE: join(this.directory, 'activities'),
      CHAOS_LANES: this.options.lanesInProcesses ? 'process' : '',
    });
    this.workers.push(worker);
    await worker.says('polling', LIMIT_MS);
  }

  /** Ends a worker that lives, and waits for its end. */
  async endWorker(worker: Program, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const index = this.workers.indexOf(worker);
    if (index < 0) return;
    this.workers.splice(index, 1);
    this.#ended.push(worker);
    worker.child.kill(signal);
    const how = await within(worker.ended, LIMIT_MS, worker);
    this.counts[signal === 'SIGKILL' ? 'killed' : 'stopped']++;
    if (how !== (signal === 'SIGKILL' ? 'SIGKILL' : 0)) {
      this.complaints.push(`a worker ended with ${how} on ${signal}:\n${worker.output()}`);
    }
  }

  /**
   * Stops one of the processes in which a worker runs its workflows until tasks have gathered there, and kills it; none
   * if a new one is still about to start.
   */
  async killLane(worker: Program, random: Random): Promise<void> {
    const { stdout } = spawnSync('ps', ['-e', '-o', 'pid=,ppid=,args='], { encoding: 'utf8' });
    const lanes = stdout
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(
        ([, parent, ...args]) => Number(parent) === worker.child.pid && /perdure lane/.test(args.join(' ')),
      )
      .map(([pid]) => Number(pid));
    if (lanes.length === 0) return;
    const victim = random.pick(lanes);
    process.kill(victim, 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, random.between(50, 300)));
    process.kill(victim, 'SIGKILL');
    this.counts.lanes++;
  }

  /** W1 @param awayMs how long no server is there */
  async restartServer(awayMs: number): Promise<void> {
    const { address, pid } = this.server;
    const ended = this.server;
    if (this.counts.restarts++ % 2 === 0) process.kill(pid!, 'SIGKILL');
    await ended.stop();
    await new Promise((resolve) => setTimeout(resolve, awayMs));
    const { port } = new URL(`tcp://${address}`);
    this.server = await startDevServer({ ...serverOptions(this.directory, true), port: Number(port) });
  }

  /** The traces of activities: one entry for each time that one ran to its body. */
  activityTraces(): string[] {
    return readFileSync(join(this.directory, 'activities'), 'utf8').trim().split('\n');
  }

  /** Everything that workers have printed. */
  output(): string {
    return [...this.#ended, ...this.workers].map((worker) => worker.output()).join('');
  }

  /** Ends the workers in order, the rest at once. */
  async close(): Promise<void> {
    this.proxy?.calm();
    try {
      await Promise.all([...this.workers].map((worker) => this.endWorker(worker, 'SIGTERM')));
    } finally {
      for (const { child } of this.workers) child.kill('SIGKILL');
      await this.proxy?.close();
      await this.server.stop();
      rmSync(this.directory, { recursive: true, force: true });
    }
  }
}

const serverOptions = (directory: string, durable: boolean) => ({
  useExisting: false,
  ...(durable && { dbFilename: join(directory, 'state.db') }),
});
