/**
 * What travels between a lane's process and the relay in its parent, apart from messages of lane-protocol.ts: frames
 * of a length (4 bytes, little endian, the rest of the frame), a kind (1 byte) and bytes.
 */

/** `Batch` goes to the lane, the others come from it. */
export const Frame = { Batch: 1, Completions: 2, Evict: 3 } as const;
export type FrameKind = (typeof Frame)[keyof typeof Frame];

const HEAD_BYTES = 5;

/** One frame as one piece of memory: writing it takes one call. */
export function encodeFrame(kind: FrameKind, bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + bytes.length);
  frame.writeUInt32LE(1 + bytes.length, 0);
  frame[4] = kind;
  frame.set(bytes, HEAD_BYTES);
  return frame;
}

/** @returns a function that takes what arrives, in pieces of any size, and calls `onFrame` for each whole frame */
export function frameReader(
  onFrame: (kind: FrameKind, bytes: Uint8Array) => void,
): (chunk: Uint8Array) => void {
  let pieces: Uint8Array[] = [];
  let held = 0;
  /** Bytes of the frame that is being read, its length included; 0: not known yet. */
  let wanted = 0;
  return (chunk) => {
    pieces.push(chunk);
    held += chunk.length;
    if (held < (wanted || 4)) return;
    let all: Buffer =
      pieces.length === 1
        ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
        : Buffer.concat(pieces, held);
    for (;;) {
      wanted = all.length < 4 ? 0 : 4 + all.readUInt32LE(0);
      if (wanted === 0 || all.length < wanted) break;
      const frame = all.subarray(0, wanted);
      all = all.subarray(wanted);
      onFrame(frame[4] as FrameKind, frame.subarray(HEAD_BYTES));
    }
    pieces = all.length > 0 ? [all] : [];
    held = all.length;
  };
}
