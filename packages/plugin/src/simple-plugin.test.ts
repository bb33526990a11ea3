import { Client, type ClientInterceptors, type ConnectionOptions } from '@perdure/client';
import type { Worker, WorkerOptions } from '@perdure/worker';
import { SimplePlugin } from './index';

const plugin = (options: object) => new SimplePlugin({ name: 'under-test', ...options });
const handler = (name: string) => ({ definition: { name, operations: {} } }) as any;

describe('a plugin without options', () => {
  it('leaves all options as they are', () => {
    const none = plugin({});
    const worker: WorkerOptions = {
      taskQueue: 'q',
      activities: { a: () => 1 },
      interceptors: { activity: [] },
    };
    expect(none.name).toBe('under-test');
    expect(none.configureWorker(worker)).toEqual(worker);
    expect(none.configureReplayWorker({ workflowsPath: 'w' })).toEqual({ workflowsPath: 'w' });
    expect(none.configureClient({ namespace: 'n' })).toEqual({ namespace: 'n' });
    expect(none.configureBundler({ workflowsPath: 'w' })).toEqual({ workflowsPath: 'w' });
    expect(none.configureConnection({ address: 'a' })).toEqual({ address: 'a' });
    expect(none.configureNativeConnection({ address: 'a' })).toEqual({ address: 'a' });
    for (const options of [none.configureWorker({ taskQueue: 'q' }), none.configureClient({})]) {
      expect(Object.values(options)).not.toContain(undefined);
    }
  });

  it('runs the worker', async () => {
    const ran: unknown[] = [];
    const worker = {} as Worker;
    await plugin({}).runWorker(worker, async (given) => void ran.push(given));
    expect(ran).toEqual([worker]);
  });
});

describe('values', () => {
  it('replace what connections have, save an API key that a function gives', () => {
    const given = plugin({ tls: { serverNameOverride: 's' }, apiKey: 'new' });
    const expected = { tls: { serverNameOverride: 's' }, apiKey: 'new' };
    expect(given.configureConnection({ tls: true, apiKey: 'old' })).toEqual(expected);
    expect(given.configureConnection({})).toEqual(expected);
    expect(given.configureNativeConnection({ tls: true, apiKey: 'old' })).toEqual(expected);
    const apiKey = () => 'rotating';
    expect(given.configureConnection({ apiKey })).toEqual({ ...expected, apiKey });
    expect(plugin({ tls: false }).configureConnection({ tls: true }).tls).toBe(false);
    expect(plugin({ tls: null }).configureNativeConnection({ tls: true }).tls).toBe(null);
  });

  it('override a data converter field by field', () => {
    const codec = {} as any;
    const given = plugin({ dataConverter: { payloadConverterPath: 'p' } });
    const before = { payloadCodecs: [codec], payloadConverterPath: 'old' };
    const after = { payloadCodecs: [codec], payloadConverterPath: 'p' };
    expect(given.configureClient({ dataConverter: before }).dataConverter).toEqual(after);
    expect(given.configureWorker({ taskQueue: 'q', dataConverter: before }).dataConverter).toEqual(after);
    expect(given.configureReplayWorker({ dataConverter: before }).dataConverter).toEqual(after);
    expect(before.payloadConverterPath).toBe('old');
    expect(given.configureBundler({ workflowsPath: 'w', failureConverterPath: 'f' })).toEqual({
      workflowsPath: 'w',
      payloadConverterPath: 'p',
      failureConverterPath: 'f',
    });
  });

  it('merge into activities, append to services, replace paths and bundles', () => {
    const a = () => 1;
    const b = () => 2;
    const c = () => 3;
    const given = plugin({
      activities: { b: c, c },
      nexusServices: [handler('two')],
      workflowsPath: 'new',
    });
    const before = {
      taskQueue: 'q',
      activities: { a, b },
      nexusServices: [handler('one')],
      workflowsPath: 'old',
    };
    const after = given.configureWorker(before);
    expect(after.activities).toEqual({ a, b: c, c });
    expect(after.nexusServices?.map((service: any) => service.definition.name)).toEqual(['one', 'two']);
    expect(after.workflowsPath).toBe('new');
    expect(before.activities).toEqual({ a, b });
    expect(before.nexusServices).toHaveLength(1);
    expect(given.configureBundler({ workflowsPath: 'old' }).workflowsPath).toBe('new');
    const workflowBundle = { code: 'x' };
    expect(plugin({ workflowBundle }).configureWorker({ taskQueue: 'q' }).workflowBundle).toBe(
      workflowBundle,
    );
    expect(plugin({ workflowBundle }).configureReplayWorker({}).workflowBundle).toBe(workflowBundle);
  });

  it('merge with activities that are methods or entries of a Map', () => {
    class Base {
      constructor(readonly who: string) {}
      greet() {
        return `base ${this.who}`;
      }
      leave() {
        return `bye ${this.who}`;
      }
    }
    class Derived extends Base {
      override greet() {
        return `hello ${this.who}`;
      }
    }
    const options = Object.assign(() => 'static', { typeInfo: 1 });
    const merged = plugin({ activities: new Map([['extra', options]]) }).configureWorker({
      taskQueue: 'q',
      activities: new Derived('you'),
    }).activities as Map<string, () => string>;
    expect([...merged.keys()].sort()).toEqual(['extra', 'greet', 'leave']);
    expect(merged.get('greet')!()).toBe('hello you');
    expect(merged.get('leave')!()).toBe('bye you');
    expect(merged.get('extra')).toBe(options);
    const alone = new Derived('me');
    expect(plugin({ activities: alone }).configureWorker({ taskQueue: 'q' }).activities).toBe(alone);
  });

  it('append interceptors of every kind', () => {
    const one = { start: jest.fn() } as any;
    const two = { signal: jest.fn() } as any;
    const activity = [() => ({})];
    const given = plugin({
      clientInterceptors: { workflow: [two], schedule: [two] },
      workerInterceptors: { activity, nexus: activity, workflowModules: ['m2'], client: { workflow: [two] } },
    });
    expect(given.configureClient({ interceptors: { workflow: [one] } }).interceptors).toEqual({
      workflow: [one, two],
      schedule: [two],
    });
    const after = given.configureWorker({
      taskQueue: 'q',
      workflowsPath: 'w',
      interceptors: { activity, workflowModules: ['m1'], client: { workflow: [one] } },
    });
    expect(after.interceptors).toEqual({
      activity: [...activity, ...activity],
      nexus: activity,
      workflowModules: ['m1', 'm2'],
      client: { workflow: [one, two] },
    });
  });

  it('append to interceptors in their older form', () => {
    const one = {} as any;
    const two = {} as any;
    const older: ClientInterceptors = { workflow: { calls: [() => one] } };
    const merged = plugin({ clientInterceptors: { workflow: [two] } }).configureClient({
      interceptors: older,
    });
    const { calls } = merged.interceptors!.workflow as { calls: ((input: any) => unknown)[] };
    expect(calls.map((make) => make({ workflowId: 'w' }))).toEqual([one, two]);
    expect((older.workflow as { calls: unknown[] }).calls).toHaveLength(1);
  });

  it('bring interceptor modules to bundles once, and not to workers whose bundle is made', () => {
    const given = plugin({ workerInterceptors: { workflowModules: ['m2'], activity: [] } });
    expect(given.configureBundler({ workflowsPath: 'w' }).workflowInterceptorModules).toEqual(['m2']);
    const before = { workflowsPath: 'w', workflowInterceptorModules: ['m1', 'm2'] };
    expect(given.configureBundler(before).workflowInterceptorModules).toEqual(['m1', 'm2']);
    const worker = given.configureWorker({ taskQueue: 'q', workflowBundle: { code: 'x' } });
    expect(worker.interceptors).toEqual({ activity: [] });
  });
});

describe('functions', () => {
  it('get what is there and give what is to be', () => {
    const given = plugin({
      tls: (tls: unknown) => (tls === undefined ? true : { serverNameOverride: 'changed' }),
      apiKey: (key: string | undefined) => `${key}!`,
      dataConverter: (converter: object | undefined) => ({ ...converter, payloadConverterPath: 'p' }),
      clientInterceptors: () => ({ schedule: [] }),
      activities: (activities: object) => ({ only: activities }),
      nexusServices: (services: any[] = []) => [handler('first'), ...services],
      workflowsPath: (path: string) => `${path}/sub`,
      workerInterceptors: (interceptors: any) => ({ ...interceptors, workflowModules: ['m'] }),
    });
    expect(given.configureConnection({ apiKey: 'k' })).toEqual({ tls: true, apiKey: 'k!' });
    expect(given.configureNativeConnection({ tls: true })).toEqual({
      tls: { serverNameOverride: 'changed' },
      apiKey: 'undefined!',
    });
    expect(given.configureClient({ interceptors: { workflow: [] } })).toEqual({
      dataConverter: { payloadConverterPath: 'p' },
      interceptors: { schedule: [] },
    });
    const activities = {};
    const worker = given.configureWorker({ taskQueue: 'q', activities, workflowsPath: 'w' });
    expect(worker).toMatchObject({
      activities: { only: activities },
      workflowsPath: 'w/sub',
      interceptors: { workflowModules: ['m'] },
    });
    expect(worker.nexusServices).toHaveLength(1);
    expect(given.configureBundler({ workflowsPath: 'w' })).toEqual({
      workflowsPath: 'w/sub',
      payloadConverterPath: 'p',
      workflowInterceptorModules: ['m'],
    });
  });
});

describe('runContext', () => {
  it('is around the run of the worker, and hears of its failure', async () => {
    const events: string[] = [];
    const given = plugin({
      runContext: async (next: () => Promise<void>) => {
        events.push('before');
        try {
          await next();
        } finally {
          events.push('after');
        }
      },
    });
    const worker = {} as Worker;
    await given.runWorker(worker, async (w) => void events.push(w === worker ? 'run' : 'other'));
    await expect(given.runWorker(worker, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(events).toEqual(['before', 'run', 'after', 'before', 'after']);
  });
});

describe('in its hosts', () => {
  it('configures a client, given there or on the connection', async () => {
    const given = plugin({ clientInterceptors: { schedule: [{}] } });
    const { Connection } = require('@perdure/client') as typeof import('@perdure/client');
    const connection = Connection.lazy({ plugins: [given] } satisfies ConnectionOptions);
    expect(new Client({ connection }).options.interceptors.schedule).toHaveLength(1);
    expect(new Client({ plugins: [given] }).options.interceptors.schedule).toHaveLength(1);
    await connection.close();
  });
});
