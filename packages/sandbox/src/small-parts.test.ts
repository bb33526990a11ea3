/** The parts of a lane that are small enough to be looked at alone. */
import { BoardReader, boardWriter } from './activity-board';
import { initialFacts } from './initial-facts';
import { watchHeap } from './memory-pressure';
import { cloneSinkCalls } from './sink-calls';
import { positionMapper } from './source-positions';
import { activationOf, startJob } from './testing/workflows';

describe('the activity board', () => {
  it('names the run while it is running, and only then', () => {
    const reader = new BoardReader();
    const writer = boardWriter(reader.memory);
    expect(reader.running()).toBeUndefined();
    writer.begin(3, 'run-ä', 'Größe');
    expect(reader.running()).toEqual({ worker: 3, runId: 'run-ä', workflowType: 'Größe' });
    writer.end();
    expect(reader.running()).toBeUndefined();
    writer.begin(3, 'r', 'Größe');
    expect(reader.running()).toEqual({ worker: 3, runId: 'r', workflowType: 'Größe' });
  });

  it('cuts names that are too long without harm', () => {
    const reader = new BoardReader();
    const writer = boardWriter(reader.memory);
    writer.begin(1, 'x'.repeat(2000), '😀'.repeat(2000));
    expect(reader.running()).toEqual({ worker: 1, runId: 'x'.repeat(512), workflowType: '😀'.repeat(128) });
  });

  it('shows another number for every activation', () => {
    const reader = new BoardReader();
    const writer = boardWriter(reader.memory);
    const seen = new Set<number>();
    for (let i = 0; i < 10; i++) {
      writer.begin(1, 'r', 't');
      seen.add(reader.counter());
      writer.end();
    }
    expect(seen.size).toBe(10);
  });
});

describe('initial facts', () => {
  it('finds the workflow type among other jobs', () => {
    const jobs = [{ notifyHasPatch: { patchId: 'p' } }, startJob('order', [1, 2])];
    expect(initialFacts(activationOf('r', jobs))).toEqual({ workflowType: 'order' });
  });

  it('knows nothing of activations that start no run, or are none', () => {
    expect(initialFacts(activationOf('r', [{ fireTimer: { seq: 1 } }]))).toBeUndefined();
    expect(initialFacts(new Uint8Array())).toBeUndefined();
    expect(initialFacts(Uint8Array.from([0x2a, 0xff, 0xff, 0xff]))).toBeUndefined();
  });
});

describe('heap pressure', () => {
  const MB = 2 ** 20;
  function valve(usedMb: number, held: number) {
    const asked: number[] = [];
    const warnings: string[] = [];
    const heap = { heapUsedBytes: usedMb * MB, heapLimitBytes: 100 * MB };
    const { check } = watchHeap(
      () => held,
      (count) => {
        asked.push(count);
        return count;
      },
      (message) => warnings.push(message),
      () => {},
      () => heap,
    );
    return { asked, warnings, heap, checkOften: () => Array.from({ length: 100 }, check) };
  }

  it('asks for as many runs as it takes, once until memory was collected', () => {
    const { asked, warnings, checkOften } = valve(90, 1000);
    checkOften();
    checkOften();
    expect(asked).toEqual([556]); // (90 - 40) / 90 of them
    expect(warnings).toEqual([
      expect.stringMatching(/holds 90 of 100 MB; asked for the eviction of 556 of 1000/),
    ]);
  });

  it('leaves runs alone while there is room, and when there are none', () => {
    for (const { asked, checkOften } of [valve(80, 1000), valve(95, 0)]) {
      checkOften();
      expect(asked).toEqual([]);
    }
  });
});

describe('sink calls', () => {
  const call = (args: unknown[]) => ({ worker: 1, runId: 'r', sink: 's', fn: 'f', args, info: '{}' });

  it('are copied as they are where that is possible', () => {
    const warnings: string[] = [];
    const date = new Date(5);
    const [copy] = cloneSinkCalls([call([{ date }, [1n]])], (warning) => warnings.push(warning));
    expect(copy!.args).toEqual([{ date }, [1n]]);
    expect((copy!.args[0] as { date: Date }).date).not.toBe(date);
    expect(warnings).toEqual([]);
  });

  it('lose only what cannot be copied', () => {
    const warnings: string[] = [];
    const hostile = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error('no');
        },
      },
    );
    const [copy] = cloneSinkCalls([call([1, () => {}, hostile, 'x'])], (warning) => warnings.push(warning));
    expect(copy!.args).toEqual([
      1,
      '[argument 1 could not be cloned]',
      '[argument 2 could not be cloned]',
      'x',
    ]);
    expect(warnings).toEqual([expect.stringContaining('sink s.f: argument 1, 2')]);
  });
});

describe('source positions', () => {
  it('come from the source map, one-based on both sides', () => {
    const sourceMap = JSON.stringify({ version: 3, sources: ['src/a.ts'], names: [], mappings: ';;;AAWE' });
    const map = positionMapper({ code: '', hash: '', sourceMap });
    expect(map(4, 1)).toBe('src/a.ts:12:3');
    expect(map(4, 50)).toBe('src/a.ts:12:3');
  });

  it('are absent without a map, before its first entry and with a broken one', () => {
    expect(positionMapper({ code: '', hash: '' })(1, 1)).toBeUndefined();
    const sourceMap = JSON.stringify({ version: 3, sources: ['src/a.ts'], names: [], mappings: ';;;AAWE' });
    expect(positionMapper({ code: '', hash: '', sourceMap })(1, 1)).toBeUndefined();
    expect(positionMapper({ code: '', hash: '', sourceMap: '{nonsense' })(1, 1)).toBeUndefined();
  });
});
