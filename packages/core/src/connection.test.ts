import { once } from 'node:events';
import { type AddressInfo, connect as dial } from 'node:net';
import { createServer as createTlsServer, type Server, type TlsOptions } from 'node:tls';
import { type DevServer, startDevServer } from '@perdure/dev-server';
import {
  type ConnectionOptions,
  ConnectionUpdate,
  RpcCall,
  type TlsOptions as TlsMessage,
} from '@perdure/proto/perdure/core/v1/options';
import Long from 'long';
import type { ConnectionHandle, CoreRpcError, RuntimeHandle } from '.';
import { type Certificates, makeCertificates } from './testing/certificates';
import { type Recorder, startRecorder } from './testing/grpc-recorder';
import { connect, native, openRuntime, startWorkflow, unique, until } from './testing/hand-worker';

let runtime: RuntimeHandle;
beforeAll(() => {
  runtime = openRuntime();
});
afterAll(() => native.runtimeClose(runtime));

const bytes = (text: string) => Buffer.from(text);

async function failure(promise: Promise<unknown>): Promise<Error & { code: string }> {
  return promise.then(
    () => {
      throw new Error('it was expected to fail');
    },
    (error) => error,
  );
}

describe('a connection with TLS', () => {
  let server: DevServer;
  let own: Certificates;
  let other: Certificates;
  const ends: Server[] = [];

  beforeAll(async () => {
    [own, other] = [makeCertificates(), makeCertificates()];
    server = await startDevServer();
  }, 120_000);
  afterAll(async () => {
    for (const end of ends) end.close();
    await server?.stop();
  });

  /** Takes TLS off and passes the rest on to the real server. */
  async function tlsEnd(options: TlsOptions = {}): Promise<string> {
    const [host, port] = server.address.split(':') as [string, string];
    const end = createTlsServer({ ...own.server, ALPNProtocols: ['h2'], ...options }, (client) => {
      const upstream = dial(Number(port), host);
      client.pipe(upstream).pipe(client);
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
    }).listen(0, '127.0.0.1');
    end.on('tlsClientError', () => undefined);
    ends.push(end);
    await once(end, 'listening');
    return `127.0.0.1:${(end.address() as AddressInfo).port}`;
  }

  const over = (address: string, tls: TlsMessage) =>
    connect(runtime, address, { targetUrl: `https://${address}`, tls });

  it('trusts the authority it is given, by address and by name', async () => {
    const address = await tlsEnd();
    for (const domain of ['', 'temporal.test']) {
      const connection = await over(address, { serverRootCaCert: bytes(own.ca), domain });
      const id = await startWorkflow(connection, unique('tls'), 'nobody');
      expect(id).toContain('nobody');
    }
  });

  it('refuses another authority, another name and a server without TLS', async () => {
    const address = await tlsEnd();
    const cases: [string, TlsMessage][] = [
      [address, { serverRootCaCert: bytes(other.ca) }],
      [address, {}],
      [address, { serverRootCaCert: bytes(own.ca), domain: 'elsewhere.test' }],
      [server.address, { serverRootCaCert: bytes(own.ca) }],
    ];
    for (const [target, tls] of cases) {
      expect(await failure(over(target, tls))).toMatchObject({
        name: 'TransportError',
        code: 'CORE_CONNECT_FAILED',
        message: expect.stringContaining(target),
      });
    }
    expect(await failure(connect(runtime, address))).toMatchObject({ code: 'CORE_CONNECT_FAILED' });
  });

  it('shows its own certificate where that is asked for', async () => {
    const address = await tlsEnd({ requestCert: true, rejectUnauthorized: true, ca: own.ca });
    const serverRootCaCert = bytes(own.ca);
    const shown = ({ cert, key }: { cert: string; key: string }): TlsMessage => ({
      serverRootCaCert,
      clientCert: bytes(cert),
      clientPrivateKey: bytes(key),
    });
    const connection = await over(address, shown(own.client));
    await startWorkflow(connection, unique('tls'), 'nobody');
    expect(await failure(over(address, { serverRootCaCert }))).toMatchObject({ code: 'CORE_CONNECT_FAILED' });
    expect(await failure(over(address, shown(other.client)))).toMatchObject({ code: 'CORE_CONNECT_FAILED' });
  });

  it('refuses what is no certificate and a certificate without its key', async () => {
    const address = await tlsEnd();
    for (const tls of [
      { serverRootCaCert: bytes('no certificate') },
      { serverRootCaCert: bytes(own.ca), clientCert: bytes(own.client.cert) },
      { serverRootCaCert: bytes(own.ca), clientCert: bytes('x'), clientPrivateKey: bytes('y') },
    ]) {
      expect(await failure(over(address, tls))).toMatchObject({
        code: expect.stringMatching(/^CORE_(CONNECT_FAILED|OPTIONS_INVALID)$/),
      });
    }
  });
});

describe('headers of a connection', () => {
  let recorder: Recorder;
  let certificates: Certificates;
  beforeAll(async () => {
    certificates = makeCertificates();
    recorder = await startRecorder({ tls: certificates.server, silent: ['ListWorkflowExecutions'] });
  });
  afterAll(() => recorder.close());

  const open = (more: ConnectionOptions): Promise<ConnectionHandle> =>
    connect(runtime, recorder.address, {
      targetUrl: `https://${recorder.address}`,
      tls: { serverRootCaCert: bytes(certificates.ca) },
      ...more,
    });

  async function sent(connection: ConnectionHandle, call: RpcCall = {}) {
    const request = { service: 'workflow', method: 'GetClusterInfo', ...call };
    await native.connectionCall(connection, RpcCall.encode(request).finish());
    return recorder.calls.at(-1)!.headers;
  }

  const update = (connection: ConnectionHandle, message: ConnectionUpdate) =>
    native.connectionUpdate(connection, ConnectionUpdate.encode(message).finish());

  it('carry the API key, and another one as soon as it is given', async () => {
    const connection = await open({ apiKey: 'first' });
    expect(recorder.calls.at(-1)).toMatchObject({
      path: expect.stringContaining('GetSystemInfo'),
      headers: { authorization: 'Bearer first' },
    });
    expect(await sent(connection)).toMatchObject({ authorization: 'Bearer first' });
    update(connection, { apiKey: 'second' });
    expect(await sent(connection)).toMatchObject({ authorization: 'Bearer second' });
    update(connection, { headers: { text: { 'x-shop': 'a' }, binary: {} } });
    expect(await sent(connection)).toMatchObject({ authorization: 'Bearer second', 'x-shop': 'a' });
  });

  it('carry text and bytes, replaced as a whole, and those of one call', async () => {
    const connection = await open({
      headers: { 'x-one': '1', 'x-two': '2' },
      binaryHeaders: { 'x-bytes-bin': Buffer.from([0, 1, 254, 255]) },
    });
    const first = await sent(connection, { headers: { 'x-call': 'here' } });
    expect(first).toMatchObject({
      'x-one': '1',
      'x-two': '2',
      'x-call': 'here',
      'client-name': 'perdure-core-tests',
    });
    expect(Buffer.from(String(first['x-bytes-bin']), 'base64')).toEqual(Buffer.from([0, 1, 254, 255]));
    update(connection, { headers: { text: { 'x-two': 'two' }, binary: {} } });
    const second = await sent(connection);
    expect(second).toMatchObject({ 'x-two': 'two' });
    for (const gone of ['x-one', 'x-call', 'x-bytes-bin']) expect(second).not.toHaveProperty(gone);
  });

  it('carry the deadline of a call, which ends it when the server is silent', async () => {
    const connection = await open({});
    const begun = Date.now();
    const call = RpcCall.encode({
      service: 'workflow',
      method: 'ListWorkflowExecutions',
      timeoutMs: Long.fromNumber(1_000),
      retry: true,
    }).finish();
    const error = (await failure(native.connectionCall(connection, call))) as CoreRpcError;
    expect(error).toMatchObject({ name: 'CoreRpcError', code: 'CORE_RPC_FAILED', grpcCode: 4 });
    expect(Date.now() - begun).toBeGreaterThanOrEqual(900);
    expect(Date.now() - begun).toBeLessThan(60_000);
    const asked = () => recorder.calls.find(({ path }) => path.endsWith('/ListWorkflowExecutions'));
    await until(() => asked() !== undefined, 'the call has arrived');
    expect(asked()?.headers['grpc-timeout']).toMatch(/^\d+[numSMH]$/);
  });
});
