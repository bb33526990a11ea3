/**
 * Keeps modules with effects in import order where chunks would change it.
 *
 * Rollup groups modules by the set of entries that need them and evaluates a group in one go. Where an entry
 * imports a module of its own before one that it shares with others, the shared group would come first.
 *
 * O1  For every entry, modules with effects run in the order in which its own imports name them.
 * O2  Chunks are cut, and entries given a prelude, only where O1 asks for it.
 */
import type { OutputChunk } from 'rollup';

/** Modules of each entry in execution order, by the entry's file name. */
export type EntrySequences = ReadonlyMap<string, readonly string[]>;

/** Whether the moment at which a module is evaluated can matter. */
export type HasEffects = (id: string) => boolean;

/**
 * Where to cut.
 * @param chunks  as rollup made them
 * @returns module to chunk name, or undefined when the chunks are right as they are
 */
export function cutChunks(
  chunks: readonly OutputChunk[],
  sequences: EntrySequences,
  hasEffects: HasEffects,
): Map<string, string> | undefined {
  if (findPreludes(chunks, sequences, hasEffects).size === 0) return undefined; // O2
  const groupOf = new Map<string, string>();
  const usersOf = new Map<string, string[]>();
  for (const [fileName, users] of findUsers(chunks)) {
    const key = users.join();
    usersOf.set(key, users);
    for (const id of Object.keys(chunks.find((chunk) => chunk.fileName === fileName)!.modules))
      groupOf.set(id, key);
  }
  const positions = new Map<string, Map<string, number>>();
  for (const [entry, sequence] of sequences)
    positions.set(entry, new Map(sequence.map((id, index) => [id, index])));

  // Begin with the groups as they are and cut until no entry finds a foreign module inside a piece. A cut can make
  // modules of the same group foreign to each other, so one pass is not enough; every pass makes pieces smaller.
  let pieceOf: ReadonlyMap<string, string> = groupOf;
  for (;;) {
    const next = new Map<string, string>();
    let count = 0;
    for (const [key, users] of usersOf) {
      let previous: string | undefined;
      for (const id of sequences.get(users[0]!) ?? []) {
        if (groupOf.get(id) !== key) continue;
        const stays =
          previous !== undefined &&
          pieceOf.get(previous) === pieceOf.get(id) &&
          users.every((entry) => areTogether(entry, previous!, id));
        next.set(id, stays ? next.get(previous!)! : `c${count++}`);
        previous = id;
      }
    }
    const isStable = new Set(next.values()).size === new Set(pieceOf.values()).size;
    pieceOf = next;
    if (isStable) return next;
  }

  /** Nothing with effects of another piece comes between two modules when this entry is evaluated. */
  function areTogether(entry: string, one: string, two: string): boolean {
    const position = positions.get(entry);
    const from = position?.get(one);
    const to = position?.get(two);
    if (from === undefined || to === undefined || from > to) return false;
    const piece = pieceOf.get(one);
    const sequence = sequences.get(entry)!;
    for (let at = from + 1; at < to; at++) {
      const other = pieceOf.get(sequence[at]!);
      if (other !== undefined && other !== piece && hasEffects(sequence[at]!)) return false;
    }
    return true;
  }
}

/**
 * Chunks that an entry must evaluate before anything else, in this order, for O1 to hold.
 * @returns entry to chunks, by file name; entries that are right as they are have none
 */
export function findPreludes(
  chunks: readonly OutputChunk[],
  sequences: EntrySequences,
  hasEffects: HasEffects,
): Map<string, string[]> {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const chunkOf = new Map<string, string>();
  for (const chunk of chunks) for (const id of Object.keys(chunk.modules)) chunkOf.set(id, chunk.fileName);
  const preludes = new Map<string, string[]>();
  for (const entry of chunks) {
    const sequence = sequences.get(entry.fileName);
    if (sequence === undefined) continue;
    const evaluated: string[] = [];
    const seen = new Set<string>();
    const evaluate = (chunk: OutputChunk): void => {
      if (seen.has(chunk.fileName)) return;
      seen.add(chunk.fileName);
      for (const imported of chunk.imports) {
        const next = byName.get(imported);
        if (next !== undefined) evaluate(next);
      }
      evaluated.push(...Object.keys(chunk.modules));
    };
    evaluate(entry);
    const wanted = sequence.filter((id) => seen.has(chunkOf.get(id) ?? '') && hasEffects(id));
    const actual = evaluated.filter((id) => hasEffects(id));
    const inSequence = new Set(wanted);
    const comparable = actual.filter((id) => inSequence.has(id));
    if (comparable.every((id, index) => id === wanted[index])) continue;
    preludes.set(
      entry.fileName,
      [...new Set(wanted.map((id) => chunkOf.get(id)!))].filter((name) => name !== entry.fileName),
    );
  }
  return preludes;
}

/** Entries that reach each chunk, sorted. */
function findUsers(chunks: readonly OutputChunk[]): Map<string, string[]> {
  const byName = new Map(chunks.map((chunk) => [chunk.fileName, chunk]));
  const users = new Map<string, Set<string>>(chunks.map((chunk) => [chunk.fileName, new Set()]));
  for (const entry of chunks) {
    if (!entry.isEntry) continue;
    const pending = [entry.fileName];
    for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
      const of = users.get(name);
      if (of === undefined || of.has(entry.fileName)) continue;
      of.add(entry.fileName);
      pending.push(...(byName.get(name)?.imports ?? []));
    }
  }
  return new Map([...users].map(([name, of]) => [name, [...of].sort()]));
}
