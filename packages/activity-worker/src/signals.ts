/**
 * Signals of the process that shut workers down.
 *
 * S1  The process has one handler per signal however many workers run, and none when none runs.
 * S2  A signal is acted on once: the next one of its kind does what it does without handlers.
 */
const stops = new Map<NodeJS.Signals, Set<() => void>>();

function onSignal(signal: NodeJS.Signals): void {
  const waiting = [...(stops.get(signal) ?? [])];
  stops.delete(signal);
  process.off(signal, onSignal); // S2
  for (const stop of waiting) stop();
}

/** Calls `stop` on each of `signals`. @returns what takes that back */
export function onShutdownSignals(signals: readonly NodeJS.Signals[], stop: () => void): () => void {
  for (const signal of signals) {
    const waiting = stops.get(signal);
    if (waiting === undefined) {
      stops.set(signal, new Set([stop]));
      process.on(signal, onSignal); // S1
    } else {
      waiting.add(stop);
    }
  }
  return () => {
    for (const signal of signals) {
      const waiting = stops.get(signal);
      if (waiting?.delete(stop) && waiting.size === 0) {
        stops.delete(signal);
        process.off(signal, onSignal);
      }
    }
  };
}
