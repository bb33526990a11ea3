/**
 * A text that one thread waits for and another one gives, in shared memory.
 *
 *   word 0  0 while there is no answer, then 1
 *   word 1  bytes of the text
 *   then    the text in UTF-8, cut where there is no more room
 */

const HEADER_BYTES = 8;
const TEXT_BYTES = 4096;

/** Made by the thread that will wait. */
export function newAnswer(): SharedArrayBuffer {
  return new SharedArrayBuffer(HEADER_BYTES + TEXT_BYTES);
}

/** On the thread that answers. */
export function giveAnswer(answer: SharedArrayBuffer, text: string): void {
  const header = new Int32Array(answer, 0, 2);
  // What TextEncoder writes into must not be shared.
  const bytes = new TextEncoder().encode(text).subarray(0, TEXT_BYTES);
  new Uint8Array(answer, HEADER_BYTES).set(bytes);
  header[1] = bytes.length;
  Atomics.store(header, 0, 1);
  Atomics.notify(header, 0);
}

/** Blocks this thread; ending the thread ends the wait. */
export function awaitAnswer(answer: SharedArrayBuffer): string {
  const header = new Int32Array(answer, 0, 2);
  Atomics.wait(header, 0, 0);
  const bytes = new Uint8Array(answer, HEADER_BYTES, header[1]);
  return new TextDecoder().decode(Uint8Array.from(bytes));
}

/** Waits without blocking the thread. */
export async function takeAnswer(answer: SharedArrayBuffer): Promise<string> {
  const waiting = (Atomics as unknown as AsyncAtomics).waitAsync(new Int32Array(answer, 0, 2), 0, 0);
  await waiting.value;
  return awaitAnswer(answer);
}

/** Newer than the library that this is compiled against. */
interface AsyncAtomics {
  waitAsync(words: Int32Array, index: number, value: number): { readonly value: Promise<unknown> | string };
}
