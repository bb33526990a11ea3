/** What users hand in as modules, bundles and histories. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defaultFailureConverter, defaultPayloadConverter, ValueError } from '@perdure/common';
import { loadBundle } from './bundle';
import { loadConverters } from './data-converter';
import { ReplayError } from './errors';
import { toHistory } from './history';
import { DefaultLogger } from './logger';
import { compileWorkerOptions } from './worker-options';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'perdure-worker-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const logger = new DefaultLogger('ERROR', () => undefined);

describe('converters', () => {
  it('are the default ones when no path is given', () => {
    expect(loadConverters({})).toEqual({
      payloadConverter: defaultPayloadConverter,
      failureConverter: defaultFailureConverter,
      payloadCodecs: [],
    });
  });

  it('come from the modules of the paths', () => {
    const path = file('good.js', 'exports.payloadConverter = { toPayload() {}, fromPayload() {} };');
    expect(loadConverters({ payloadConverterPath: path }).payloadConverter).toBe(
      require(path).payloadConverter,
    );
  });

  it.each([
    ['has no such export', 'exports.other = {};', /has to export payloadConverter/],
    ['exports something else', 'exports.payloadConverter = { toPayload() {} };', /toPayload and fromPayload/],
    ['throws', 'throw new Error("broken module");', /broken module/],
  ])('are refused when the module %s', (name, text, message) => {
    const path = file(`${name}.js`, text);
    expect(() => loadConverters({ payloadConverterPath: path })).toThrow(ValueError);
    expect(() => loadConverters({ payloadConverterPath: path })).toThrow(message);
  });

  it('are refused when there is no module', () => {
    expect(() => loadConverters({ failureConverterPath: join(directory, 'none') })).toThrow(
      /cannot be loaded/,
    );
  });
});

describe('bundles', () => {
  const load = (workflowBundle: any) =>
    loadBundle(compileWorkerOptions({ taskQueue: 'q', workflowBundle }, logger), logger);
  const map = JSON.stringify({ version: 3, sources: ['a.ts'], mappings: '' });
  const comment = `//# sourceMappingURL=data:application/json;charset=utf-8;base64,${Buffer.from(map).toString('base64')}`;

  it('are taken from memory or from a file, without and with their source map', async () => {
    expect(await load({ code: '1;' })).toMatchObject({ code: '1;' });
    expect((await load({ code: '1;' }))!.sourceMap).toBeUndefined();
    const fromMemory = await load({ code: `1;\n${comment}\n` });
    expect(fromMemory).toMatchObject({ code: '1;', sourceMap: map });
    expect(await load({ codePath: file('bundle.js', `1;\n${comment}\n`) })).toEqual(fromMemory);
  });

  it('are told apart by their text', async () => {
    const [one, same, other] = await Promise.all([
      load({ code: '1;' }),
      load({ code: '1;' }),
      load({ code: '2;' }),
    ]);
    expect(one).toEqual(same);
    expect(one!.hash).not.toBe(other!.hash);
    expect(one!.buildId).not.toBe(other!.buildId);
  });

  it('are nothing for a worker without workflows', async () => {
    const options = compileWorkerOptions({ taskQueue: 'q', activities: {} }, logger);
    expect(await loadBundle(options, logger)).toBeUndefined();
  });
});

describe('histories', () => {
  it.each([
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['an empty object', {}],
    ['events that are no list', { events: 5 }],
    ['events of nothing', { events: [null] }],
    ['events of a type that does not exist', { events: [{ eventId: '1', eventType: 'NoSuchEvent' }] }],
    ['text', 'hello'],
  ])('are refused when they are %s', (_, given) => {
    expect(() => toHistory(given)).toThrow(ReplayError);
  });

  it('are read from JSON in the short and the long spelling of event types', () => {
    for (const eventType of ['WorkflowExecutionStarted', 'EVENT_TYPE_WORKFLOW_EXECUTION_STARTED']) {
      const history = toHistory({ events: [{ eventId: '1', eventType }] });
      expect(history.events![0]).toMatchObject({ eventType: 1 });
      expect(history.events![0]!.eventId!.toNumber()).toBe(1);
    }
  });

  it('are taken as they are when they are messages', () => {
    const message = toHistory({ events: [{ eventId: '1', eventType: 'WorkflowExecutionStarted' }] });
    expect(toHistory(message)).toBe(message);
  });
});
