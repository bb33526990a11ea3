import { createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  Metadata as GrpcMetadata,
  InterceptingCall,
  type Interceptor,
  ServerCredentials,
  status,
} from '@grpc/grpc-js';
import {
  Client,
  Connection,
  type ConnectionFailedError,
  type ConnectionOptions,
  defaultGrpcRetryOptions,
  isGrpcCancelledError,
  isGrpcDeadlineError,
  isGrpcServiceError,
  isRetryableError,
  makeGrpcRetryInterceptor,
} from '@perdure/client';
import { normalizeAddress, resolveConnectionOptions } from './connection-options';
import { CLIENT_VERSION } from './pkg';
import { CertificateAuthority } from './testing/certificates';
import { connectFailure } from './testing/connect-failure';
import { eventually } from './testing/eventually';
import { type Answer, ScriptedServer } from './testing/scripted-server';
import { TcpProxy } from './testing/tcp-proxy';

const fastRetries = () =>
  makeGrpcRetryInterceptor(defaultGrpcRetryOptions({ initialIntervalMs: () => 20, maxIntervalMs: () => 60 }));

async function withServer<T>(
  script: Record<string, Answer[]>,
  fn: (server: ScriptedServer, connection: Connection, address: string) => Promise<T>,
  options: ConnectionOptions = {},
): Promise<T> {
  const server = new ScriptedServer();
  server.script = script;
  const address = await server.listen();
  const connection = Connection.lazy({ address, interceptors: [fastRetries()], ...options });
  try {
    return await fn(server, connection, address);
  } finally {
    await connection.close();
    server.close();
  }
}

/** Sees the end of each attempt, when it stands behind the retries. */
function attemptWatch() {
  let unavailable = 0;
  const watch: Interceptor = (options, next) =>
    new InterceptingCall(next(options), {
      start(metadata, _listener, start) {
        start(metadata, {
          onReceiveStatus(received, pass) {
            if (received.code === status.UNAVAILABLE) unavailable += 1;
            pass(received);
          },
        });
      },
    });
  return { failed: () => unavailable, watch };
}

const NAMED = { message: { namespaceInfo: { name: 'ns' } } };
const describeNs = (connection: Connection) =>
  connection.workflowService.describeNamespace({ namespace: 'ns' });

describe('retries', () => {
  it.each([
    status.UNAVAILABLE,
    status.UNKNOWN,
    status.RESOURCE_EXHAUSTED,
    status.ABORTED,
    status.DATA_LOSS,
    status.OUT_OF_RANGE,
  ])('repeat a call that failed with status %s, with the same request', async (code) => {
    await withServer({ describeNamespace: [{ code }, { code }, NAMED] }, async (server, connection) => {
      expect((await describeNs(connection)).namespaceInfo!.name).toBe('ns');
      expect(server.asked.map(({ request }) => request.namespace)).toEqual(['ns', 'ns', 'ns']);
    });
  });

  it.each([
    status.INVALID_ARGUMENT,
    status.NOT_FOUND,
    status.ALREADY_EXISTS,
    status.PERMISSION_DENIED,
    status.FAILED_PRECONDITION,
    status.UNIMPLEMENTED,
    status.INTERNAL,
    status.UNAUTHENTICATED,
  ])('leave a call alone that failed with status %s', async (code) => {
    await withServer({ describeNamespace: [{ code, details: 'because' }] }, async (server, connection) => {
      const failure = await describeNs(connection).catch((error) => error);
      expect(isGrpcServiceError(failure)).toBe(true);
      expect(failure).toMatchObject({ code, details: 'because' });
      expect(server.asked).toHaveLength(1);
    });
  });

  it('wait longer each time, and give up after the last attempt with the last status', async () => {
    const code = status.UNAVAILABLE;
    const retry = makeGrpcRetryInterceptor(
      defaultGrpcRetryOptions({ maxAttempts: 4, initialIntervalMs: () => 40, factor: 2, maxJitter: 0 }),
    );
    await withServer(
      { describeNamespace: [{ code, details: 'down' }] },
      async (server, connection) => {
        await expect(describeNs(connection)).rejects.toMatchObject({ code, details: 'down' });
        const gaps = server.asked.slice(1).map(({ atMs }, index) => atMs - server.asked[index]!.atMs);
        expect(gaps).toHaveLength(3);
        // No upper bound: how much longer a wait takes is up to the machine.
        [40, 80, 160].forEach((wanted, index) => {
          expect(gaps[index]).toBeGreaterThanOrEqual(wanted - 5);
        });
      },
      { interceptors: [retry] },
    );
  });

  it('use the same request id for every attempt of a start', async () => {
    await withServer(
      { startWorkflowExecution: [{ code: status.UNAVAILABLE }, { message: { runId: 'r' } }] },
      async (server, connection) => {
        const client = new Client({ connection });
        const handle = await client.workflow.start('x', { workflowId: 'w', taskQueue: 'q' });
        expect(handle.firstExecutionRunId).toBe('r');
        const ids = server.asked.map(({ request }) => request.requestId);
        expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
        expect(ids[1]).toBe(ids[0]);
      },
    );
  });

  it('respect a maximum interval, jitter and the longer wait after RESOURCE_EXHAUSTED', () => {
    const of = (code: status) => ({ code, details: '', metadata: new GrpcMetadata() });
    const { delayFunction, retryableDecider } = defaultGrpcRetryOptions();
    for (let attempt = 1; attempt < 10; attempt++) {
      const unavailable = delayFunction(attempt, of(status.UNAVAILABLE));
      const nominal = Math.min(100 * 1.7 ** (attempt - 1), 5000);
      expect(unavailable).toBeGreaterThanOrEqual(nominal * 0.8);
      expect(unavailable).toBeLessThanOrEqual(nominal * 1.2);
      expect(delayFunction(attempt, of(status.RESOURCE_EXHAUSTED))).toBeLessThanOrEqual(6000);
      expect(retryableDecider(attempt, of(status.UNAVAILABLE))).toBe(true);
    }
    expect(delayFunction(1, of(status.RESOURCE_EXHAUSTED))).toBeGreaterThanOrEqual(800);
    expect(retryableDecider(10, of(status.UNAVAILABLE))).toBe(false);
    expect(
      defaultGrpcRetryOptions({ maxIntervalMs: () => 7, maxJitter: 0 }).delayFunction(9, of(status.UNKNOWN)),
    ).toBe(7);
    expect(isRetryableError({ ...of(status.INTERNAL), details: 'Received RST_STREAM with code 2' })).toBe(
      true,
    );
  });

  it('find a server again that went away for a while', async () => {
    const first = new ScriptedServer();
    const address = await first.listen();
    const connection = Connection.lazy({ address });
    try {
      await describeNs(connection);
      first.close();
      const waiting = describeNs(connection);
      await sleep(300);
      // Where somebody's outgoing connection has got the port meanwhile, it is soon free again.
      const second = await eventually(async () => {
        const server = new ScriptedServer();
        server.script = { describeNamespace: [NAMED] };
        return await server.listen(first.port).then(
          () => server,
          () => undefined,
        );
      });
      expect((await waiting).namespaceInfo!.name).toBe('ns');
      second!.close();
    } finally {
      await connection.close();
    }
  });
});

describe('deadlines and abort signals', () => {
  it('end a call that hangs', async () => {
    await withServer({ describeNamespace: [NAMED, 'hang'] }, async (server, connection) => {
      await describeNs(connection); // the connection stands
      for (const deadline of [Date.now() + 200, new Date(Date.now() + 400)]) {
        const failure = await connection
          .withDeadline(deadline, () => describeNs(connection))
          .catch((error) => error);
        expect(isGrpcDeadlineError(failure)).toBe(true);
      }
      // None was made again; a slow machine may not even have sent them in time.
      expect(server.asked.length).toBeLessThanOrEqual(3);
    });
  });

  it('end a wait between two attempts, and tell the last failure', async () => {
    const retry = makeGrpcRetryInterceptor(
      defaultGrpcRetryOptions({ initialIntervalMs: () => 10_000, maxIntervalMs: () => 10_000 }),
    );
    const { failed, watch } = attemptWatch();
    await withServer(
      { describeNamespace: [NAMED, { code: status.UNAVAILABLE, details: 'busy' }] },
      async (server, connection) => {
        await describeNs(connection); // the connection stands
        let late: any;
        let tookMs = 0;
        let limitMs = 200;
        // It has to be the wait that the deadline ends: where the machine is slow, the attempt before takes longer.
        for (; failed() === 0; limitMs *= 3) {
          const before = Date.now();
          late = await connection
            .withDeadline(before + limitMs, () => describeNs(connection))
            .catch((error) => error);
          tookMs = Date.now() - before;
          expect(isGrpcDeadlineError(late)).toBe(true);
          expect(tookMs).toBeGreaterThanOrEqual(limitMs - 10);
        }
        expect(late.details).toContain('UNAVAILABLE: busy');

        const before = server.asked.length;
        const controller = new AbortController();
        const aborted = connection
          .withAbortSignal(controller.signal, () => describeNs(connection))
          .catch((error) => error);
        await eventually(() => failed() === 2);
        controller.abort();
        expect(isGrpcCancelledError(await aborted)).toBe(true);
        expect(server.asked).toHaveLength(before + 1);
      },
      { interceptors: [retry, watch] },
    );
  });

  it('cancel the call on the server when the signal is aborted, whichever scope it came from', async () => {
    await withServer({ describeNamespace: ['hang'] }, async (server, connection) => {
      for (const which of ['outer', 'inner']) {
        const outer = new AbortController();
        const inner = new AbortController();
        const call = connection.withAbortSignal(outer.signal, () =>
          connection.withAbortSignal(inner.signal, () => describeNs(connection)),
        );
        const failed = call.catch((error) => error);
        const asked = server.asked.length + 1;
        await eventually(() => server.asked.length === asked);
        (which === 'outer' ? outer : inner).abort();
        expect(isGrpcCancelledError(await failed)).toBe(true);
        await eventually(() => server.asked.at(-1)!.cancelled);
      }
      const already = await connection
        .withAbortSignal(AbortSignal.abort(), () => describeNs(connection))
        .catch((error) => error);
      expect(isGrpcCancelledError(already)).toBe(true);
    });
  });

  it('hold for their scope only', async () => {
    await withServer({ describeNamespace: [NAMED] }, async (_server, connection) => {
      await expect(
        connection.withDeadline(Date.now() - 1, () => describeNs(connection)),
      ).rejects.toMatchObject({
        code: status.DEADLINE_EXCEEDED,
      });
      expect((await describeNs(connection)).namespaceInfo!.name).toBe('ns');
    });
  });
});

describe('headers', () => {
  it('say who calls and for which namespace, and carry the metadata of options and scopes', async () => {
    const metadata = { one: 'options', two: 'options', 'raw-bin': Buffer.from([1, 2]) };
    await withServer(
      {},
      async (server, connection) => {
        const client = new Client({ connection });
        await client.withMetadata({ two: 'outer', three: 'outer' }, () =>
          connection.withMetadata({ three: 'inner' }, () => describeNs(connection)),
        );
        const { headers } = server.asked[0]!;
        expect(headers.get('client-name')).toEqual(['perdure-typescript']);
        expect(headers.get('client-version')).toEqual([CLIENT_VERSION]);
        expect(headers.get('temporal-namespace')).toEqual(['ns']);
        expect([headers.get('one'), headers.get('two'), headers.get('three')]).toEqual([
          ['options'],
          ['outer'],
          ['inner'],
        ]);
        expect(headers.get('raw-bin')).toEqual([Buffer.from([1, 2])]);
      },
      { metadata },
    );
  });

  it('carry the API key of the moment', async () => {
    let rotating = 1;
    await withServer(
      { describeNamespace: [NAMED] },
      async (server, connection) => {
        await describeNs(connection);
        rotating++;
        await describeNs(connection);
        await connection.withApiKey('scoped', () => describeNs(connection));
        connection.setApiKey('static');
        await describeNs(connection);
        expect(server.asked.map(({ headers }) => headers.get('authorization')[0])).toEqual([
          'Bearer key-1',
          'Bearer key-2',
          'Bearer scoped',
          'Bearer static',
        ]);
      },
      { tls: false, apiKey: () => `key-${rotating}` },
    );
  });

  it('tell the version of the package', () => {
    expect(require('@perdure/client/package.json').version).toBe(CLIENT_VERSION);
  });
});

describe('Connection.connect', () => {
  const connect = (options: ConnectionOptions) =>
    Connection.connect({ connectTimeout: '1m', ...options }).then(
      async (connection) => {
        await connection.close();
        return undefined;
      },
      (error: ConnectionFailedError) => error,
    );

  it('reaches a server, also one that does not know GetSystemInfo', async () => {
    await withServer({ getSystemInfo: [{ code: status.UNIMPLEMENTED }] }, async (server, _lazy, address) => {
      expect(await connect({ address })).toBeUndefined();
      expect(server.asked.map(({ method }) => method)).toEqual(['getSystemInfo']);
    });
  });

  it('contacts nobody until the first call when it is lazy, and asks once when asked often', async () => {
    await withServer({}, async (server, connection) => {
      await sleep(50);
      expect(server.asked).toHaveLength(0);
      await Promise.all([connection.ensureConnected(), connection.ensureConnected()]);
      await connection.ensureConnected();
      expect(server.asked).toHaveLength(1);
    });
  });

  it('says whether the name, the port, the credentials, the server or time is at fault', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await new Promise((resolve) => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const [name, refused, silence, hanging] = await Promise.all([
      connectFailure({ address: `${'x'.repeat(64)}.invalid` }), // too long: no name server is asked
      connectFailure({ address: '127.0.0.1:1' }),
      connect({ address: `127.0.0.1:${port}`, connectTimeout: 700 }),
      withServer({ getSystemInfo: ['hang'] }, (_server, _connection, address) =>
        connect({ address, connectTimeout: 700 }),
      ),
    ]);
    // grpc-js keeps a connection whose handshake was never answered, also after close.
    for (const socket of sockets) socket.destroy();
    silent.close();
    expect(name).toMatchObject({ fault: 'name' });
    expect(refused).toMatchObject({
      fault: 'port',
      code: 'CLIENT_CONNECTION_FAILED',
      hint: expect.stringContaining('temporal server start-dev'),
    });
    expect(silence).toMatchObject({ fault: 'timeout' });
    expect(hanging).toMatchObject({ fault: 'timeout' });
    await withServer(
      { getSystemInfo: [{ code: status.UNAUTHENTICATED }] },
      async (_server, _connection, address) => {
        expect(await connect({ address })).toMatchObject({ fault: 'credentials' });
      },
    );
    await withServer(
      { getSystemInfo: [{ code: status.INTERNAL, details: 'odd' }] },
      async (_server, _connection, address) => {
        const failure = await connect({ address });
        expect(failure).toMatchObject({ fault: 'server', message: expect.stringContaining('odd') });
        expect(isGrpcServiceError(failure!.cause)).toBe(true);
      },
    );
  });

  it('refuses wrong options, all in one error', () => {
    expect(() =>
      Connection.lazy({
        address: 'http://x',
        connectTimeout: 'soon' as '1s',
        apiKey: 'k',
        metadata: { Authorization: 'x' },
      }),
    ).toThrow(/http:\/\/x.*connectTimeout.*apiKey/s);
  });

  it('refuses calls on a closed connection', async () => {
    await withServer({}, async (_server, connection) => {
      await connection.close();
      await expect(describeNs(connection)).rejects.toMatchObject({ code: 'ILLEGAL_STATE' });
      await expect(connection.ensureConnected()).rejects.toMatchObject({ code: 'ILLEGAL_STATE' });
    });
  });

  it('hands the options through the plugins', () => {
    const plugin = (name: string) => ({
      name,
      configureConnection: (options: ConnectionOptions) => ({
        ...options,
        metadata: { ...options.metadata, [name]: 'x' },
      }),
    });
    const { options } = resolveConnectionOptions({ plugins: [plugin('a'), plugin('b')], address: 'h' });
    expect(options).toMatchObject({ address: 'h:7233', metadata: { a: 'x', b: 'x' } });
    const secure = {
      name: 'tls',
      configureConnection: (given: ConnectionOptions) => ({ ...given, tls: true }),
    };
    expect(() => resolveConnectionOptions({ credentials: options.credentials, plugins: [secure] })).toThrow(
      /credentials and tls/,
    );
  });
});

describe('addresses', () => {
  it.each([
    ['localhost', 'localhost:7233'],
    ['localhost:80', 'localhost:80'],
    ['[::1]', '[::1]:7233'],
    ['[fe80::1]:99', '[fe80::1]:99'],
    ['10.0.0.1:7233', '10.0.0.1:7233'],
  ])('%s means %s', (given, wanted) => expect(normalizeAddress(given)).toBe(wanted));

  it.each(['', ':7233', 'http://h:1', 'h:0', 'h:65536', 'h:x', '::1', 'h:1:2', 'h/path', 'a b'])(
    '%j is refused',
    (given) => {
      expect(() => normalizeAddress(given)).toThrow(/Invalid address/);
    },
  );
});

describe('TLS', () => {
  const authority = new CertificateAuthority('test CA');
  const stranger = new CertificateAuthority('another CA');
  afterAll(() => {
    authority.remove();
    stranger.remove();
  });

  async function serveTls(
    serverPair: { crt: Buffer; key: Buffer },
    tls: ConnectionOptions['tls'],
    { wantsClient = false }: { wantsClient?: boolean } = {},
  ) {
    const credentials = ServerCredentials.createSsl(
      wantsClient ? authority.certificate : null,
      [{ private_key: serverPair.key, cert_chain: serverPair.crt }],
      wantsClient,
    );
    const server = new ScriptedServer(credentials);
    return { server, options: { address: await server.listen(), tls } };
  }

  async function tryTls(...[pair, tls, more]: Parameters<typeof serveTls>) {
    const { server, options } = await serveTls(pair, tls, more);
    try {
      const connection = await Connection.connect({ ...options, connectTimeout: '1m' });
      await connection.close();
      return server.asked[0]!.headers;
    } catch (error) {
      return error as ConnectionFailedError;
    } finally {
      server.close();
    }
  }

  const serverRootCACertificate = authority.certificate;
  async function failTls(...[pair, tls, more]: Parameters<typeof serveTls>) {
    const { server, options } = await serveTls(pair, tls, more);
    return await connectFailure(options).finally(() => server.close());
  }

  it('connects where the certificate fits, by address or by the name that is given', async () => {
    expect(await tryTls(authority.issue('127.0.0.1'), { serverRootCACertificate })).toBeInstanceOf(
      GrpcMetadata,
    );
    expect(
      await tryTls(authority.issue('temporal.example'), {
        serverRootCACertificate,
        serverNameOverride: 'temporal.example',
      }),
    ).toBeInstanceOf(GrpcMetadata);
  });

  it('sends API keys over TLS, and the new one on the same connection after it was exchanged', async () => {
    const pair = authority.issue('127.0.0.1');
    const server = new ScriptedServer(
      ServerCredentials.createSsl(null, [{ private_key: pair.key, cert_chain: pair.crt }]),
    );
    server.script = { describeNamespace: [NAMED] };
    await server.listen();
    const proxy = await TcpProxy.listen(server.port);
    let current = 'by-function-1';
    const connection = await Connection.connect({
      address: proxy.address,
      apiKey: 'static-1',
      tls: { serverRootCACertificate },
    });
    try {
      connection.setApiKey('static-2');
      await describeNs(connection);
      connection.setApiKey(() => current);
      await describeNs(connection);
      current = 'by-function-2';
      await describeNs(connection);
      expect(server.asked.map(({ headers }) => headers.get('authorization')[0])).toEqual([
        'Bearer static-1',
        'Bearer static-2',
        'Bearer by-function-1',
        'Bearer by-function-2',
      ]);
      expect(proxy.accepted).toBe(1);
    } finally {
      await connection.close();
      await proxy.close();
      server.close();
    }
  });

  it('refuses a wrong host, an expired certificate and an unknown authority, and says which it was', async () => {
    const own = { serverRootCACertificate };
    const faults = [
      [authority.issue('temporal.example'), own, /altname|does not match/i],
      [authority.issue('127.0.0.1', { days: 0 }), own, /expired/i],
      [
        authority.issue('127.0.0.1'),
        { serverRootCACertificate: stranger.certificate },
        /issuer|unable to|signature/i,
      ],
      [authority.issue('127.0.0.1'), true, /issuer|unable to|self.signed/i], // none that Node.js trusts
    ] as const;
    await Promise.all(
      faults.map(async ([pair, tls, says]) =>
        expect(await failTls(pair, tls)).toMatchObject({
          fault: 'tls',
          message: expect.stringMatching(says),
        }),
      ),
    );
  });

  it('takes part in mTLS with PEM and with PFX', async () => {
    const pair = authority.issue('127.0.0.1');
    const clientCertPair = authority.issue('a-client');
    const wantsClient = true;
    const pfx = authority.toPfx(clientCertPair, 'secret');
    for (const tls of [
      { serverRootCACertificate, clientCertPair },
      { serverRootCACertificate, clientCertPfx: { pfx, passphrase: 'secret' } },
    ]) {
      expect(await tryTls(pair, tls, { wantsClient })).toBeInstanceOf(GrpcMetadata);
    }
    expect(
      await tryTls(
        authority.issue('temporal.example'),
        {
          serverRootCACertificate,
          serverNameOverride: 'temporal.example',
          clientCertPfx: { pfx, passphrase: 'secret' },
        },
        { wantsClient },
      ),
    ).toBeInstanceOf(GrpcMetadata);
    expect(() => Connection.lazy({ tls: { clientCertPfx: { pfx, passphrase: 'wrong' } } })).toThrow(
      /clientCertPfx/,
    );
    expect(() => Connection.lazy({ tls: { clientCertPair, clientCertPfx: { pfx } } })).toThrow(/exclude/);
  });

  it('says so when the server misses the client certificate, or does not know who issued it', async () => {
    const pair = authority.issue('127.0.0.1');
    const wantsClient = true;
    await Promise.all(
      [undefined, stranger.issue('a-client')].map(async (clientCertPair) => {
        const failure = await failTls(pair, { serverRootCACertificate, clientCertPair }, { wantsClient });
        expect(failure).toMatchObject({ fault: 'tls', hint: expect.stringMatching(/client certificate/) });
      }),
    );
  });

  it('says so when one side speaks TLS and the other does not', async () => {
    const pair = authority.issue('127.0.0.1');
    await withServer({}, async (_server, _connection, address) => {
      const [plainClient, plainServer] = await Promise.all([
        failTls(pair, false),
        connectFailure({ address, tls: { serverRootCACertificate } }),
      ]);
      expect(plainClient).toMatchObject({ code: 'CLIENT_CONNECTION_FAILED' });
      expect(plainServer).toMatchObject({ fault: 'tls', hint: expect.stringContaining('speaks no TLS') });
    });
  });
});
