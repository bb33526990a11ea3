import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { defaultPayloadConverter, type PayloadCodec } from '@perdure/common';
import {
  AesGcmCodec,
  type CodecServer,
  type CodecServerOptions,
  generateKey,
  keyRing,
  startCodecServer,
} from '@perdure/encryption';
import { Payloads } from '@perdure/proto/temporal/api/common/v1/message';
import fc from 'fast-check';

const codec = new AesGcmCodec(keyRing({ keys: { k: generateKey() }, currentKeyId: 'k' }));
let server: CodecServer;
const start = async (options: Partial<CodecServerOptions> = {}) => {
  server = await startCodecServer({ codecs: [codec], ...options });
  return server;
};
const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(`${server.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
const payloads = {
  payloads: [defaultPayloadConverter.toPayload('marker'), defaultPayloadConverter.toPayload(2)],
};

afterEach(() => server?.close());

describe('the codec server', () => {
  it('encodes and decodes what the protocol says', async () => {
    await start();
    const encoded: any = await (await post('/encode', Payloads.toJSON(payloads))).json();
    expect(JSON.stringify(encoded)).not.toContain(Buffer.from('"marker"').toString('base64'));
    const decoded = await (await post('/decode', encoded)).json();
    expect(decoded).toEqual(Payloads.toJSON(payloads));
  });

  it('works below any prefix, with the last codec undone first', async () => {
    const order: string[] = [];
    const noting = (name: string): PayloadCodec => ({
      encode: async (list) => {
        order.push(`encode ${name}`);
        return list;
      },
      decode: async (list) => {
        order.push(`decode ${name}`);
        return list;
      },
    });
    await start({ codecs: [noting('a'), noting('b')] });
    expect((await post('/orders/prod/encode?x=1', {})).status).toBe(200);
    expect((await post('/decode/', {})).status).toBe(200);
    expect(order).toEqual(['encode a', 'encode b', 'decode b', 'decode a']);
  });

  it('asks authorize first, and tells it operation, namespace and headers', async () => {
    const asked: unknown[] = [];
    await start({
      authorize: ({ operation, namespace, headers }) => {
        asked.push([operation, namespace]);
        return headers.authorization === 'Bearer right';
      },
    });
    expect((await post('/decode', Payloads.toJSON(payloads))).status).toBe(401);
    expect((await post('/decode', {}, { authorization: 'Bearer wrong' })).status).toBe(401);
    const right = { authorization: 'Bearer right', 'x-namespace': 'orders' };
    expect((await post('/decode', {}, right)).status).toBe(200);
    expect(asked).toEqual([
      ['decode', ''],
      ['decode', ''],
      ['decode', 'orders'],
    ]);
  });

  it('refuses to decode for everybody', async () => {
    await expect(startCodecServer({ codecs: [], host: '0.0.0.0' })).rejects.toThrow(/decode for everybody/);
    await expect(startCodecServer({ codecs: [], allowedOrigins: ['*'] })).rejects.toThrow(/name the origins/);
  });

  it('lets only named origins in from browsers', async () => {
    await start({ allowedOrigins: ['http://localhost:8233'] });
    const preflight = (origin: string) =>
      fetch(`${server.url}/decode`, { method: 'OPTIONS', headers: { origin } });
    const allowed = await preflight('http://localhost:8233');
    expect(allowed.status).toBe(204);
    expect(allowed.headers.get('access-control-allow-origin')).toBe('http://localhost:8233');
    expect(allowed.headers.get('access-control-allow-headers')).toMatch(/X-Namespace/);
    expect((await preflight('http://evil.example')).headers.get('access-control-allow-origin')).toBeNull();
  });

  it('allows a browser the headers that its Web UI asks for, and a network that is its own', async () => {
    await start({ allowedOrigins: ['https://ui.example/'] });
    const preflight = await fetch(`${server.url}/decode?preserveStorageRefs=true`, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://ui.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,x-namespace,x-new-one',
        'access-control-request-private-network': 'true',
      },
    });
    expect([preflight.status, preflight.headers.get('access-control-allow-headers')]).toEqual([
      204,
      'content-type,x-namespace,x-new-one',
    ]);
    expect(preflight.headers.get('access-control-allow-private-network')).toBe('true');
    expect(preflight.headers.get('access-control-max-age')).toBe('600');
  });

  it('takes only origins as such', async () => {
    for (const origin of ['localhost:8233', 'http://localhost:8233/namespaces', 'everywhere', '']) {
      await expect(startCodecServer({ codecs: [], allowedOrigins: [origin] })).rejects.toThrow(
        `allowedOrigins: '${origin}' is no origin`,
      );
    }
  });

  it('chooses codecs by namespace', async () => {
    await start({ codecs: (namespace) => (namespace === 'orders' ? [codec] : undefined) });
    expect((await post('/encode', {}, { 'x-namespace': 'orders' })).status).toBe(200);
    expect((await post('/encode', {}, { 'x-namespace': 'others' })).status).toBe(404);
  });

  it('says what it cannot decode by code, without quoting it', async () => {
    await start();
    const other = new AesGcmCodec(keyRing({ keys: { gone: generateKey() }, currentKeyId: 'gone' }));
    const sealed = await other.encode(payloads.payloads);
    const response = await post('/decode', Payloads.toJSON({ payloads: sealed }));
    expect(response.status).toBe(400);
    expect(await response.json()).toEqual({
      message: 'cannot decode these payloads',
      code: 'ENCRYPTION_KEY_NOT_FOUND',
    });
  });

  it('answers anything with JSON and lives on', async () => {
    await start({ maxBodyBytes: 10_000 });
    const body = fc.oneof(
      fc.json(),
      fc.string(),
      fc.constantFrom('{"__proto__":{"x":1}}', '{"payloads":[null]}', '{"payloads":5}', '['.repeat(9000), ''),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom('/encode', '/decode', '/', '/other'), body, async (path, text) => {
        const response = await post(path, text);
        expect([200, 400, 404]).toContain(response.status);
        expect(typeof (await response.json())).toBe('object');
      }),
      { numRuns: 100 },
    );
    expect((await post('/encode', 'x'.repeat(20_000))).status).toBe(413);
    expect((await fetch(`${server.url}/encode`)).status).toBe(405);
    expect(({} as any).x).toBeUndefined();
  });
});

describe('perdure-codec-server', () => {
  let child: ChildProcess | undefined;
  afterEach(() => child?.kill());

  const run = (env: Record<string, string>) => {
    child = spawn(process.execPath, [join(__dirname, 'main.js')], {
      env: { PATH: process.env.PATH!, ...env },
    });
    return child;
  };

  it('serves with keys and a token of the environment', async () => {
    const keys = { k: generateKey() };
    const running = run({
      PORT: '0',
      PERDURE_ENCRYPTION_KEYS: JSON.stringify(keys),
      PERDURE_ENCRYPTION_KEY_ID: 'k',
      CODEC_TOKEN: 'secret',
    });
    const url = await new Promise<string>((resolve) =>
      running.stdout!.on('data', (data) => resolve(/http:\S+/.exec(String(data))![0])),
    );
    const decode = (authorization: string) =>
      fetch(`${url}/decode`, { method: 'POST', body: '{}', headers: { authorization } });
    expect((await decode('Bearer secret')).status).toBe(200);
    expect((await decode('Bearer other')).status).toBe(401);
    const ended = new Promise((resolve) => running.once('exit', resolve));
    running.kill('SIGTERM');
    expect(await ended).toBe(0);
  });

  it('warns once of a browser on an origin that it does not let in', async () => {
    const running = run({
      PORT: '0',
      PERDURE_ENCRYPTION_KEYS: JSON.stringify({ k: generateKey() }),
      PERDURE_ENCRYPTION_KEY_ID: 'k',
      ALLOWED_ORIGINS: 'http://localhost:8233/, http://ui.example',
    });
    let warnings = '';
    running.stderr!.on('data', (data) => {
      warnings += data;
    });
    const url = await new Promise<string>((resolve) =>
      running.stdout!.on('data', (data) => resolve(/http:\S+/.exec(String(data))![0])),
    );
    const allowed: unknown[] = [];
    for (const origin of [
      'http://127.0.0.1:8233',
      'http://127.0.0.1:8233',
      'http://localhost:8233',
      'http://ui.example',
    ]) {
      const answer = await fetch(`${url}/decode`, { method: 'OPTIONS', headers: { origin } });
      allowed.push(answer.headers.get('access-control-allow-origin'));
    }
    expect(allowed).toEqual([null, null, 'http://localhost:8233', 'http://ui.example']);
    const ended = new Promise((resolve) => running.once('close', resolve));
    running.kill('SIGTERM');
    await ended;
    expect(warnings.match(/CodecServerWarning.*/g)).toEqual([
      expect.stringMatching(/"http:\/\/127\.0\.0\.1:8233".*not in allowedOrigins/),
    ]);
  });

  it('says what is missing', async () => {
    const running = run({});
    const [message, code] = await Promise.all([
      new Promise<string>((resolve) => running.stderr!.on('data', (data) => resolve(String(data)))),
      new Promise((resolve) => running.once('exit', resolve)),
    ]);
    expect(message).toContain('PERDURE_ENCRYPTION_KEYS and PERDURE_ENCRYPTION_KEY_ID must be set');
    expect(code).toBe(1);
  });
});
