/**
 * Keeps a lane's heap below its limit by asking for the eviction of runs.
 *
 * M1  What lives is known only right after a full garbage collection. A sentinel object tells when one has
 *     happened; between two of them nothing is measured but now and then the total, as a second line.
 * M2  Evicting is asked for in proportion to what is too much, and not again before the next collection.
 */
import { getHeapStatistics } from 'node:v8';
import { type ResourceLimits, resourceLimits } from 'node:worker_threads';

/** Live bytes above this share of the limit are too much ... */
const highShare = 0.6;
/** ... and this share is what eviction aims at. */
const targetShare = 0.4;
/** The total, garbage included, above which runs go without waiting for a collection. */
const alarmShare = 0.85;
/** Activations between two looks at the total; a look takes half a microsecond. */
const activationsPerLook = 4;

export interface HeapFigures {
  readonly heapUsedBytes: number;
  readonly heapLimitBytes: number;
}

export interface PressureValve {
  /** Called after each activation: a batch may be long, and what it asks for comes with a later one. */
  check(): void;
  heap(): HeapFigures;
}

/** V8's own figure counts the young generation, too, but it is the old one that ends a thread when it is full. */
function threadHeap(): HeapFigures {
  const { used_heap_size: heapUsedBytes, heap_size_limit } = getHeapStatistics();
  const { maxOldGenerationSizeMb } = resourceLimits;
  return {
    heapUsedBytes,
    heapLimitBytes: maxOldGenerationSizeMb === undefined ? heap_size_limit : maxOldGenerationSizeMb * 2 ** 20,
  };
}

/**
 * @param runs how many runs the lane holds
 * @param evict asks the transport for evictions, returns how many will come
 * @param warn gets a sentence when runs had to go
 * @param onCollection called after each full collection, seldom by nature
 */
export function watchHeap(
  runs: () => number,
  evict: (count: number) => number,
  warn: (message: string) => void,
  onCollection: () => void = () => {},
  heap: () => HeapFigures = threadHeap,
): PressureValve {
  let activations = 0;
  let asked = false;

  function relieve(share: number): void {
    const { heapUsedBytes: used, heapLimitBytes: limit } = heap();
    if (used < share * limit || asked) return;
    const held = runs();
    if (held === 0) return;
    const surplus = (used - targetShare * limit) / used;
    const count = Math.max(1, Math.ceil(held * surplus));
    asked = true; // M2
    const coming = evict(count);
    const megabytes = (bytes: number) => Math.round(bytes / 2 ** 20);
    warn(
      `the heap of a lane holds ${megabytes(used)} of ${megabytes(limit)} MB; ` +
        `asked for the eviction of ${count} of ${held} cached runs, ${coming} will go`,
    );
  }

  // M1: weak targets are cleared by full collections only, not by those of the young generation.
  const collections = new FinalizationRegistry<void>(() => {
    asked = false;
    relieve(highShare);
    onCollection();
    arm();
  });
  function arm(): void {
    collections.register({}, undefined);
  }
  arm();

  return {
    check() {
      if (++activations % activationsPerLook === 0) relieve(alarmShare);
    },
    heap,
  };
}

/**
 * Limits of a lane's thread. New objects live apart from the heap that is limited, and move into it all at once: more of
 * them than V8 allows beyond the limit end the process instead of the thread, so a small heap gets a small nursery.
 */
export function heapLimits(heapMb: number): ResourceLimits {
  const usualYoungMb = 48; // of V8 on 64-bit platforms
  return {
    maxOldGenerationSizeMb: heapMb,
    maxYoungGenerationSizeMb: Math.max(3, Math.min(usualYoungMb, Math.floor(heapMb / 8))),
  };
}
