/** Histories that the official SDK has recorded (tests/histories), replayed here. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { historyFromJSON } from '@perdure/common/lib/proto-utils';
import { EventType } from '@perdure/proto/temporal/api/enums/v1/event_type';
import { History } from '@perdure/proto/temporal/api/history/v1/message';
import { Runtime, Worker } from '@perdure/worker';
import { DeterminismViolationError } from '@perdure/workflow';
import { LineKeeper, workflowsDir } from './support/harness';

const folder = join(__dirname, '..', 'histories');
const files = readdirSync(folder)
  .filter((file) => file.endsWith('.json'))
  .sort();
const read = (file: string) => readFileSync(join(folder, file), 'utf8');
const sinks = { collector: { collect: { fn: () => undefined } } };

/** Ids of workflows are part of what they command. */
const idOf = (file: string) => `recorded-${file.split('.').slice(0, -2).join('.')}`;

beforeAll(() => {
  Runtime.install({ logger: new LineKeeper() });
});

/** Options for a file: what its name says about the worker that made it. */
function optionsFor(file: string) {
  const intercepted = file.includes('.intercepted.');
  return {
    workflowsPath: join(workflowsDir, 'recorded.ts'),
    sinks,
    interceptors: {
      workflowModules: intercepted ? [join(workflowsDir, 'recorded-interceptors.ts')] : [],
    },
  };
}

it('are there, in the form of every tool', () => {
  for (const form of ['cli', 'ui', 'sdk'])
    expect(files.some((file) => file.endsWith(`.${form}.json`))).toBe(true);
  expect(files.length).toBeGreaterThan(20);
});

it.each(files)('%s replays, as text and as an object', async (file) => {
  const text = read(file);
  await Worker.runReplayHistory(optionsFor(file), text, idOf(file));
  await Worker.runReplayHistory(optionsFor(file), JSON.parse(text), idOf(file));
});

it('replays as a message, side by side and with a fresh context for each', async () => {
  const plain = files.filter((file) => !file.includes('.intercepted.'));
  const histories = plain.map((file) => ({ workflowId: idOf(file), history: historyFromJSON(read(file)) }));
  for (const reuseV8Context of [true, false]) {
    const ended: string[] = [];
    for await (const { workflowId, error } of Worker.runReplayHistories(
      { ...optionsFor(''), reuseV8Context },
      histories,
    )) {
      expect([workflowId, error?.message]).toEqual([workflowId, undefined]);
      ended.push(workflowId);
    }
    expect(ended.sort()).toEqual(plain.map(idOf).sort());
  }
});

/** Every object in JSON, the innermost first. */
function mapped(value: any, change: (object: any) => unknown): any {
  if (Array.isArray(value)) return value.map((item) => mapped(item, change));
  if (typeof value !== 'object' || value === null) return value;
  return change(Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapped(item, change)])));
}
const textOf = (base64: string) => Buffer.from(base64, 'base64').toString();
const isPayload = (object: any) => typeof object.metadata?.encoding === 'string';
const valueOf = (payload: any) =>
  textOf(payload.metadata.encoding) === 'binary/null' ? null : JSON.parse(textOf(payload.data));

const forUrls = (base64: string) => Buffer.from(base64, 'base64').toString('base64url');

/** What the same tools write with other settings, or wrote in earlier versions. */
const FORMS: Record<string, (history: any) => any> = {
  'enums as CLI and Web UI wrote them before': (history) =>
    mapped(history, (object) =>
      typeof object.eventType !== 'string'
        ? object
        : {
            ...object,
            eventType: object.eventType
              .replace('EVENT_TYPE_', '')
              .toLowerCase()
              .replace(/(?:^|_)(.)/g, (_: string, letter: string) => letter.toUpperCase()),
          },
    ),
  'field names of the .proto files': (history) =>
    mapped(history, (object) =>
      isPayload(object)
        ? object
        : Object.fromEntries(
            Object.entries(object).map(([key, value]) => [
              key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
              value,
            ]),
          ),
    ),
  'a download of the Web UI with readable payloads': (history) =>
    mapped(history, (object) =>
      isPayload(object)
        ? {
            metadata: mapped(object.metadata, (map) =>
              Object.fromEntries(Object.entries(map).map(([key, value]) => [key, textOf(value as string)])),
            ),
            data: valueOf(object),
          }
        : object,
    ),
  'a download of earlier Web UIs with values alone': (history) =>
    mapped(history, (object) => (isPayload(object) ? valueOf(object) : object)),
  'enums and 64-bit integers as numbers': (history) =>
    mapped(history, (object) =>
      Object.fromEntries(
        Object.entries(object).map(([key, value]) => {
          if (key === 'eventType') return [key, EventType[value as keyof typeof EventType]];
          const isNumber =
            /(?:Id|version|Bytes)$/.test(key) && /^\d+$/.test(String(value)) && key !== 'timerId';
          return [key, isNumber && key !== 'activityId' ? Number(value) : value];
        }),
      ),
    ),
  'bytes in base64 for URLs, without padding': (history) =>
    mapped(history, (object) =>
      isPayload(object)
        ? {
            metadata: mapped(object.metadata, (map) =>
              Object.fromEntries(Object.entries(map).map(([key, value]) => [key, forUrls(value as string)])),
            ),
            data: object.data && forUrls(object.data),
          }
        : object,
    ),
  'a list of events': (history) => history.events,
  'an answer of the HTTP API': (history) => ({ history, nextPageToken: '' }),
};

it.each(Object.keys(FORMS))('replays as %s', async (form) => {
  for (const name of ['messages', 'attributes', 'localActivities', 'patches', 'children']) {
    const given = FORMS[form]!(JSON.parse(read(`${name}.cli.json`)));
    await Worker.runReplayHistory(optionsFor(''), given, `recorded-${name}`);
    await Worker.runReplayHistory(optionsFor(''), JSON.stringify(given), `recorded-${name}`);
  }
});

it('does not replay with interceptors that it was not made with', async () => {
  const { interceptors } = optionsFor('.intercepted.');
  const error = await Worker.runReplayHistory(
    { ...optionsFor(''), interceptors },
    read('conditions.cli.json'),
  ).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(DeterminismViolationError);
});

interface ProgramHistory {
  readonly name: string;
  readonly steps: unknown;
  readonly history: unknown;
}

it('replays random programs that ran on the official SDK', async () => {
  const rows = JSON.parse(
    gunzipSync(readFileSync(join(folder, 'programs.json.gz'))).toString(),
  ) as ProgramHistory[];
  expect(rows.length).toBeGreaterThanOrEqual(50);
  const failed: string[] = [];
  let ended = 0;
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowsPath: join(workflowsDir, 'fuzz.ts') },
    rows.map(({ name, history }) => ({ workflowId: name, history: History.fromJSON(history) })),
  )) {
    ended++;
    const { steps } = rows.find(({ name }) => name === workflowId) as ProgramHistory;
    if (error !== undefined) failed.push(`${workflowId} ${JSON.stringify(steps)}: ${error.message}`);
  }
  expect(failed).toEqual([]);
  expect(ended).toBe(rows.length);
});

/** Histories of earlier versions of the official SDK: `record.mjs --pack`, one file each. */
const packs = readdirSync(folder).filter((file) => /^sdk-[\d.]+\.json\.gz$/.test(file));

type Json = { events: Record<string, any>[] };
interface Pack {
  readonly recorded: [name: string, history: Json][];
  readonly programs: (ProgramHistory & { readonly history: Json })[];
}

function unpack(file: string): Pack {
  const { programs = [], ...recorded } = JSON.parse(gunzipSync(readFileSync(join(folder, file))).toString());
  return { recorded: Object.entries(recorded), programs };
}

/** @returns a text for each history that does not replay */
async function failuresOf(options: object, histories: [name: string, history: unknown][]): Promise<string[]> {
  const failed: string[] = [];
  let ended = 0;
  const given = histories.map(([workflowId, history]) => ({ workflowId, history }));
  for await (const { workflowId, error } of Worker.runReplayHistories(options as never, given)) {
    ended++;
    if (error !== undefined) failed.push(`${workflowId}: ${error.message}`);
  }
  expect(ended).toBe(histories.length);
  return failed;
}

const programsPath = { workflowsPath: join(workflowsDir, 'fuzz.ts') };

describe.each(packs)('%s', (file) => {
  it('replays: recorded workflows, with and without interceptors, and random programs', async () => {
    const { recorded, programs } = unpack(file);
    expect(recorded.length).toBeGreaterThan(10);
    for (const suffix of ['.cli.json', '.intercepted.cli.json']) {
      const intercepted = suffix.includes('intercepted');
      const histories = recorded
        .filter(([name]) => name.endsWith('.intercepted') === intercepted)
        .map(([name, history]): [string, unknown] => [`recorded-${name}`, history]);
      expect(await failuresOf(optionsFor(`x${suffix}`), histories)).toEqual([]);
    }
    expect(
      await failuresOf(
        programsPath,
        programs.map(({ name, history }) => [name, history]),
      ),
    ).toEqual([]);
  });
});

/** The history up to each task that was completed: what a worker gets that takes the run over there. */
function cuts({ events }: Json): Json[] {
  return events.flatMap((event, i) =>
    event.workflowTaskStartedEventAttributes && events[i + 1]?.workflowTaskCompletedEventAttributes
      ? [{ events: events.slice(0, i + 1) }]
      : [],
  );
}

it.each(packs)('%s can be taken over at every task', async (file) => {
  const { recorded, programs } = unpack(file);
  const plain = recorded
    .filter(([name]) => !name.endsWith('.intercepted'))
    .flatMap(([name, history]) => cuts(history).map((cut): [string, Json] => [`recorded-${name}`, cut]));
  expect(plain.length).toBeGreaterThan(80);
  expect(await failuresOf(optionsFor(''), plain)).toEqual([]);
  const ofPrograms = programs.flatMap(({ name, history }) =>
    cuts(history).map((cut): [string, Json] => [name, cut]),
  );
  expect(await failuresOf(programsPath, ofPrograms)).toEqual([]);
});

/** The history as a worker would have recorded it that writes these flags. */
function withFlags({ events }: Json, langUsedFlags: number[] | undefined): Json {
  return {
    events: events.map((event) => {
      const { workflowTaskCompletedEventAttributes: completed } = event;
      if (completed === undefined) return event;
      const { langUsedFlags: _, ...sdkMetadata } = completed.sdkMetadata ?? {};
      return {
        ...event,
        workflowTaskCompletedEventAttributes: {
          ...completed,
          sdkMetadata: langUsedFlags === undefined ? sdkMetadata : { ...sdkMetadata, langUsedFlags },
        },
      };
    }),
  };
}

describe('flags in histories', () => {
  const early = unpack('sdk-1.10.1.json.gz');
  const now = (name: string) => JSON.parse(read(`${name}.cli.json`)) as Json;
  const then = (name: string) => early.recorded.find(([each]) => each === name)?.[1] as Json;
  const replays = async (name: string, history: Json) =>
    (await failuresOf(optionsFor(''), [[`recorded-${name}`, history]])).length === 0;

  it('1: scopes that are not cancellable shield theirs, exactly where it is on', async () => {
    expect(await replays('cancels', now('cancels'))).toBe(true);
    expect(await replays('cancels', withFlags(now('cancels'), [2]))).toBe(false);
    expect(await replays('cancels', withFlags(now('cancels'), undefined))).toBe(false);
    expect(await replays('cancels', then('cancels'))).toBe(true);
    expect(await replays('cancels', withFlags(then('cancels'), [1]))).toBe(false);
  });

  it('2: signals are a batch of their own, except where it is on', async () => {
    expect(await replays('batches', now('batches'))).toBe(true);
    expect(await replays('batches', withFlags(now('batches'), [1]))).toBe(false);
    expect(await replays('batches', then('batches'))).toBe(true);
    expect(await replays('batches', withFlags(then('batches'), [2]))).toBe(false);
  });

  it('3 to 6, of the OpenTelemetry interceptors, change nothing where those are not', async () => {
    expect(await replays('cancels', withFlags(now('cancels'), [1, 2, 3, 4, 5, 6]))).toBe(true);
    expect(await replays('cancels', withFlags(now('cancels'), [1, 2]))).toBe(true);
  });
});
