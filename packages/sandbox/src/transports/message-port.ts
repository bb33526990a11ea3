/**
 * A host for lanes that needs nothing native: gives activations to lanes over MessagePorts.
 *
 * Owns    which run is on which lane, pending activations, the order of use for eviction.
 * Leaves  where activations come from and completions go to its user.
 * F1  A run stays on its lane until it is evicted or its lane is lost.
 * F2  Every activation settles: with its completion, or with an error when its lane is lost.
 */
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { LaneBatch, LaneCompletions, type LaneItem } from '@perdure/proto/perdure/core/v1/exchange';
import { completionMessage } from '../completion-message';
import { LaneLostError, PoolClosedError } from '../errors';
import type { LaneLostReport, LanePoolOptions, TransportData } from '../lane-pool';
import type { FromLanePort } from './message-port-lane';

/** Path of the lanes' side, for `LanePoolOptions.transportModule`; part of `MessagePortHost.options`. */
export const messagePortTransport: string = require.resolve('./message-port-lane');

interface HostLane {
  readonly number: number;
  readonly port: MessagePort;
  /** Run key to the run's pending activation; in order of use, least recent first. */
  readonly runs: Map<string, Pending | undefined>;
  queued: LaneItem[];
}

interface Pending {
  resolve(completion: Uint8Array): void;
  reject(error: Error): void;
}

const keyOf = (worker: number, runId: string) => `${worker}/${runId}`;

/** Spread `options` into those of the pool. */
export class MessagePortHost {
  readonly #lanes = new Map<number, HostLane>();
  /** Lanes that know all workers. */
  #usable: readonly number[] = [];
  readonly #laneOfRun = new Map<string, HostLane>();
  /** Activations that came while there was no usable lane. */
  #waiting: { worker: number; runId: string; activation: Uint8Array; pending: Pending }[] = [];
  #unsettled = 0;
  #keepAlive: NodeJS.Timeout | undefined;
  #closed = false;

  /** What connects a LanePool with this host. */
  readonly options: Pick<
    LanePoolOptions,
    'transportModule' | 'transportData' | 'onLaneLost' | 'onLanesChanged'
  > = {
    transportModule: messagePortTransport,
    transportData: (number) => this.#connect(number),
    onLaneLost: (report) => this.#laneLost(report),
    onLanesChanged: (lanes) => this.#lanesChanged(lanes),
  };

  /**
   * Runs one activation; while no lane is there (it is being replaced), it waits for one.
   * @param activation an encoded coresdk.workflow_activation.WorkflowActivation; one at a time for each run
   * @returns the encoded WorkflowActivationCompletion
   * @throws LaneLostError if the lane was ended before it answered
   */
  activate(worker: number, runId: string, activation: Uint8Array): Promise<Uint8Array> {
    if (this.#closed) return Promise.reject(new PoolClosedError('the host is closed'));
    return new Promise((resolve, reject) => {
      // Whoever waits for a completion keeps the process alive.
      if (this.#unsettled++ === 0) this.#keepAlive = setInterval(() => {}, 2 ** 30);
      const settled = () => {
        if (--this.#unsettled === 0) clearInterval(this.#keepAlive);
      };
      const pending: Pending = {
        resolve(completion) {
          settled();
          resolve(completion);
        },
        reject(error) {
          settled();
          reject(error);
        },
      };
      this.#assign(worker, runId, activation, pending);
    });
  }

  /** Drops a run's instance; its next activation has to start it again. */
  evict(worker: number, runId: string): void {
    const key = keyOf(worker, runId);
    const lane = this.#laneOfRun.get(key);
    if (lane === undefined || lane.runs.get(key) !== undefined) return;
    this.#laneOfRun.delete(key);
    lane.runs.delete(key);
    this.#queue(lane, { worker, runId, evict: true });
  }

  /** Whether a run is in a lane's cache. */
  holds(worker: number, runId: string): boolean {
    return this.#laneOfRun.has(keyOf(worker, runId));
  }

  /** Closes the ports; pending activations fail. */
  close(): void {
    this.#closed = true;
    for (const lane of [...this.#lanes.keys()]) {
      this.#laneLost({ lane, reason: 'crash', message: 'the host was closed' });
    }
    for (const { pending } of this.#waiting.splice(0))
      pending.reject(new PoolClosedError('the host is closed'));
  }

  #connect(number: number): TransportData {
    const { port1, port2 } = new MessageChannel();
    const lane: HostLane = { number, port: port1, runs: new Map(), queued: [] };
    this.#lanes.set(number, lane);
    port1.on('message', (message: FromLanePort) => {
      if (message.kind === 'completions') this.#complete(lane, message.bytes);
      else this.#evictSome(lane, message.count);
    });
    port1.unref();
    return { data: port2, transfer: [port2] };
  }

  /** F2 */
  #laneLost(report: LaneLostReport): void {
    const lane = this.#lanes.get(report.lane);
    if (lane === undefined) return;
    this.#lanes.delete(report.lane);
    lane.port.close();
    const { guilty } = report;
    const guiltyKey = guilty === undefined ? undefined : keyOf(guilty.worker, guilty.runId);
    for (const [key, pending] of lane.runs) {
      this.#laneOfRun.delete(key);
      pending?.reject(
        key === guiltyKey
          ? new LaneLostError(guilty!.message, { hint: guilty!.hint })
          : new LaneLostError(report.message, { hint: 'start the run anew from its history' }),
      );
    }
  }

  #lanesChanged(lanes: readonly number[]): void {
    this.#usable = lanes;
    if (lanes.length === 0) return;
    for (const { worker, runId, activation, pending } of this.#waiting.splice(0)) {
      this.#assign(worker, runId, activation, pending);
    }
  }

  /** F1 */
  #assign(worker: number, runId: string, activation: Uint8Array, pending: Pending): void {
    const key = keyOf(worker, runId);
    const lane = this.#laneOfRun.get(key) ?? this.#leastLoaded();
    if (lane === undefined) {
      this.#waiting.push({ worker, runId, activation, pending });
      return;
    }
    this.#laneOfRun.set(key, lane);
    lane.runs.delete(key); // the order of use: last again
    lane.runs.set(key, pending);
    this.#queue(lane, { worker, runId, activation });
  }

  /** Everything of one turn goes in one batch: waking a thread is what costs. */
  #queue(lane: HostLane, item: LaneItem): void {
    lane.queued.push(item);
    if (lane.queued.length > 1) return;
    queueMicrotask(() => {
      const items = lane.queued;
      lane.queued = [];
      lane.port.postMessage(LaneBatch.encode({ items }).finish());
    });
  }

  #complete(lane: HostLane, bytes: Uint8Array): void {
    for (const { worker = 0, completion } of LaneCompletions.decode(bytes).items ?? []) {
      if (completion === undefined) continue;
      const { runId = '' } = completionMessage().decode(completion);
      const key = keyOf(worker, runId);
      const pending = lane.runs.get(key);
      if (pending === undefined) continue;
      lane.runs.set(key, undefined);
      pending.resolve(completion);
    }
  }

  #evictSome(lane: HostLane, count: number): void {
    let left = count;
    for (const [key, pending] of lane.runs) {
      if (left === 0) return;
      if (pending !== undefined) continue;
      const at = key.indexOf('/');
      this.evict(Number(key.slice(0, at)), key.slice(at + 1));
      left--;
    }
  }

  #leastLoaded(): HostLane | undefined {
    let best: HostLane | undefined;
    for (const number of this.#usable) {
      const lane = this.#lanes.get(number);
      if (lane !== undefined && (best === undefined || lane.runs.size < best.runs.size)) best = lane;
    }
    return best;
  }
}
