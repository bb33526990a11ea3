/**
 * Deterministic randomness of a run.
 *
 * Owns    the generator behind `Math.random`, `uuid4` and named streams.
 * N1  The main stream is Baagøe's Alea seeded with the eight bytes of the run's randomness seed, most significant
 *     first: the stream that histories of TypeScript workflows were made with, so that ids drawn from it match.
 * N2  Drawing in a query handler or an update validator leaves the stream as it was.
 * N3  A named stream depends on the seed and its name only, not on when it was first asked for: it is seeded with
 *     STREAM_PREFIX, then the run's seed and the name in UTF-8, each after its length in four bytes.
 */
import { encode } from '@perdure/common/lib/encoding';
import type Long from 'long';
import { currentContext, requireHost, withContext } from './async-context';
import { currentRun, type Run, requireRun } from './runtime/run';

const TWO_TO_32 = 0x1_0000_0000;
const TWO_TO_MINUS_32 = 2.3283064365386963e-10;

/** State of one generator; `next` gives numbers in [0, 1) with 32 bits. */
export class Alea {
  private constructor(
    private a: number,
    private b: number,
    private c: number,
    private carry: number,
  ) {}

  /** @param seed byte or character codes */
  static seeded(seed: ArrayLike<number>): Alea {
    const hash = new Mash();
    const space = [32];
    const a = hash.add(space);
    const b = hash.add(space);
    const c = hash.add(space);
    return new Alea(wrap(a - hash.add(seed)), wrap(b - hash.add(seed)), wrap(c - hash.add(seed)), 1);
  }

  next(): number {
    const t = 2091639 * this.a + this.carry * TWO_TO_MINUS_32;
    this.carry = t | 0;
    this.a = this.b;
    this.b = this.c;
    this.c = t - this.carry;
    return this.c;
  }

  copy(): Alea {
    return new Alea(this.a, this.b, this.c, this.carry);
  }
}

function wrap(value: number): number {
  return value < 0 ? value + 1 : value;
}

/** Baagøe's Mash: hashes codes into a fraction, keeping state between calls. */
class Mash {
  private n = 0xefc8249d;

  add(codes: ArrayLike<number>): number {
    let n = this.n;
    for (let i = 0; i < codes.length; i++) {
      n += codes[i] as number;
      let h = 0.02519603282416938 * n;
      n = h >>> 0;
      h = (h - n) * n;
      n = h >>> 0;
      n += (h - n) * TWO_TO_32;
    }
    this.n = n;
    return (n >>> 0) * TWO_TO_MINUS_32;
  }
}

/** Bytes of the seed as N1 wants them. */
function seedBytes(seed: Long): number[] {
  return seed.toBytesBE();
}

function mainStream(run: Run): Alea {
  run.random ??= Alea.seeded(seedBytes(run.init.randomnessSeed as Long));
  return run.random;
}

const STREAM_PREFIX = encode('temporal-workflow-random-stream-v1');

function lengthBytes({ length }: ArrayLike<number>): number[] {
  return [length >>> 24, (length >>> 16) & 0xff, (length >>> 8) & 0xff, length & 0xff];
}

/** Applies an UpdateRandomSeed job: the run was reset. */
export function updateRandomSeed(run: Run, seed: Long): void {
  run.init.randomnessSeed = seed;
  run.random = undefined;
  run.namedStreams?.clear();
}

/** What N2 needs: the state of all streams, to be given back to `restoreRandom`. */
export function saveRandom(run: Run): () => void {
  const main = run.random?.copy();
  const named = run.namedStreams && new Map([...run.namedStreams].map(([name, alea]) => [name, alea.copy()]));
  return () => {
    run.random = main;
    run.namedStreams = named;
  };
}

export type NamedStreams = Map<string, Alea>;

/** Deterministic source of random values of one run. */
export interface WorkflowRandomStream {
  /** A number in [0, 1). */
  random(): number;
  /** A version 4 UUID. */
  uuid4(): string;
  /** Fills `bytes` and returns it. */
  fill(bytes: Uint8Array): Uint8Array;
  /** Calls `fn`; `Math.random` and `uuid4` draw from this stream in it and in what it awaits. */
  with<T>(fn: () => T): T;
}

class Stream implements WorkflowRandomStream {
  /** @param streamName undefined for the main stream */
  constructor(private readonly streamName: string | undefined) {}

  private alea(): Alea {
    const name = this.streamName;
    const run = requireRun(name === undefined ? 'workflowRandom' : 'getRandomStream()');
    if (name === undefined) return mainStream(run);
    run.namedStreams ??= new Map();
    let alea = run.namedStreams.get(name);
    if (alea === undefined) {
      const seed = seedBytes(run.init.randomnessSeed as Long);
      const bytes = encode(name);
      alea = Alea.seeded([...STREAM_PREFIX, ...lengthBytes(seed), ...seed, ...lengthBytes(bytes), ...bytes]); // N3
      run.namedStreams.set(name, alea);
    }
    return alea;
  }

  random(): number {
    return this.alea().next();
  }

  uuid4(): string {
    const alea = this.alea();
    return uuidFrom(() => alea.next());
  }

  fill(bytes: Uint8Array): Uint8Array {
    const alea = this.alea();
    return fillFrom(() => alea.next(), bytes);
  }

  with<T>(fn: () => T): T {
    return withContext(requireRun('WorkflowRandomStream.with()'), { random: this }, fn);
  }
}

/** The main stream of the current run, also behind `Math.random`. */
export const workflowRandom: WorkflowRandomStream = new Stream(undefined);

/** A stream of its own: drawing from it does not move any other stream. Equal names mean equal streams. */
export function getRandomStream(name: string): WorkflowRandomStream {
  return new Stream(name);
}

/** A version 4 UUID, the same on every replay. Outside a workflow it is drawn from `Math.random`. */
export function uuid4(): string {
  if (currentRun() === undefined) return uuidFrom(() => Math.random());
  return (currentContext()?.random ?? workflowRandom).uuid4();
}

/** `Math.random` of workflow code. Outside a run (shared modules) a fixed stream of the realm. */
export function random(): number {
  if (currentRun() === undefined) {
    outsideRuns ??= Alea.seeded([0]);
    return outsideRuns.next();
  }
  return (currentContext()?.random ?? workflowRandom).random();
}
let outsideRuns: Alea | undefined;

/** Real entropy, for `workflowInfo().unsafe.random`. */
export interface UnsafeRandomSource {
  random(): number;
  uuid4(): string;
  fillRandom(bytes: Uint8Array): Uint8Array;
}

export const unsafeRandom: UnsafeRandomSource = {
  random: () => requireHost().entropy(),
  uuid4: () => uuidFrom(() => requireHost().entropy()),
  fillRandom: (bytes) => fillFrom(() => requireHost().entropy(), bytes),
};

/** Four draws, 32 bits each, in the order in which the text shows them. */
function uuidFrom(next: () => number): string {
  const a = word(next);
  const b = (word(next) & 0xffff0fff) | 0x4000;
  const c = (word(next) & 0x3fffffff) | 0x80000000;
  const d = word(next);
  const bHex = hex(b);
  const cHex = hex(c);
  return `${hex(a)}-${bHex.slice(0, 4)}-${bHex.slice(4)}-${cHex.slice(0, 4)}-${cHex.slice(4)}${hex(d)}`;
}

function word(next: () => number): number {
  return (next() * TWO_TO_32) >>> 0;
}

function hex(value: number): string {
  return (value >>> 0).toString(16).padStart(8, '0');
}

function fillFrom(next: () => number, bytes: Uint8Array): Uint8Array {
  for (let i = 0; i < bytes.length; i++) bytes[i] = (next() * 256) | 0;
  return bytes;
}
