/**
 * Lane's side of the transport in a process of its own: frames over two inherited descriptors.
 *
 * D1  Completions are written at once and in full: when the process is killed in the next instruction, its parent has
 *     them, and so knows which activation was the first without an answer.
 */
import { writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { encodeFrame, Frame, type FrameKind, frameReader } from '../lane-frames';
import type { LaneTransport } from '../transport';

/** Numbers of the descriptors in the lane's process. */
export const PIPE_IN = 3;
export const PIPE_OUT = 4;

export const laneTransport: LaneTransport = {
  open(_lane, onBatch) {
    const input = new Socket({ fd: PIPE_IN, readable: true, writable: false });
    input.on(
      'data',
      frameReader((_kind, bytes) => onBatch(bytes)),
    );
    // The end of the input is the end of the parent, which lane-process.ts hears of too.
    input.on('error', () => input.destroy());
    const send = (kind: FrameKind, bytes: Uint8Array) => writeFully(encodeFrame(kind, bytes));
    return {
      complete: (bytes) => send(Frame.Completions, bytes),
      evict(count) {
        const bytes = new Uint8Array(4);
        new DataView(bytes.buffer).setUint32(0, count, true);
        send(Frame.Evict, bytes);
        return count;
      },
      close: () => void input.destroy(),
    };
  },
};

/** D1 */
function writeFully(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(PIPE_OUT, bytes, at);
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EAGAIN') throw error;
    }
  }
}
