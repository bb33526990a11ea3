/** Lane's side of the transport over a MessagePort; see message-port.ts for the other side. */
import type { MessagePort } from 'node:worker_threads';
import type { LaneTransport } from '../transport';

/** What the host sends: an encoded LaneBatch. */
export type ToLanePort = Uint8Array;

/** What the lane sends. */
export type FromLanePort =
  | { readonly kind: 'completions'; readonly bytes: Uint8Array }
  | { readonly kind: 'evict'; readonly count: number };

/** Expects a MessagePort as the lane's data. */
export const laneTransport: LaneTransport = {
  open(_lane, onBatch, data) {
    const port = data as MessagePort;
    const send = (message: FromLanePort) => port.postMessage(message);
    port.on('message', (batch: ToLanePort) => onBatch(batch));
    port.unref();
    return {
      complete: (bytes) => send({ kind: 'completions', bytes }),
      evict(count) {
        send({ kind: 'evict', count });
        return count;
      },
      close: () => port.close(),
    };
  },
};
