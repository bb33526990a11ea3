/** What `connect` says is at fault where something answers, but no Temporal server that is ready. */
import { createServer, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { CallCredentials, ChannelCredentials, Metadata, ServerCredentials, status } from '@grpc/grpc-js';
import { Connection } from '@perdure/client';
import { CertificateAuthority } from './testing/certificates';
import { connectFailure } from './testing/connect-failure';
import { type Answer, ScriptedServer } from './testing/scripted-server';

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

async function serve(getSystemInfo: Answer, credentials?: ServerCredentials): Promise<string> {
  const server = new ScriptedServer(credentials);
  ends.push(() => server.close());
  server.script = { getSystemInfo: [getSystemInfo] };
  return await server.listen();
}

/** Speaks HTTP/2 and nothing of gRPC. */
async function webServer(httpStatus: number): Promise<string> {
  const server = createServer();
  const sessions = new Set<{ destroy(): void }>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream: ServerHttp2Stream) => {
    stream.respond({ ':status': httpStatus, 'content-type': 'text/html' });
    stream.end('<html>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => {
    for (const session of sessions) session.destroy();
    server.close();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('a failed connect', () => {
  it.each([200, 404, 502])('blames the server where a web server answers with %s', async (httpStatus) => {
    expect(await connectFailure({ address: await webServer(httpStatus) })).toMatchObject({
      code: 'CLIENT_CONNECTION_FAILED',
      fault: 'server',
      message: expect.stringContaining('does not speak gRPC'),
      hint: expect.stringContaining('web server'),
    });
  });

  it('blames the server where it knows nothing of Temporal', async () => {
    const details = 'unknown service temporal.api.workflowservice.v1.WorkflowService';
    const address = await serve({ code: status.UNIMPLEMENTED, details });
    expect(await connectFailure({ address })).toMatchObject({
      fault: 'server',
      message: expect.stringContaining(details),
    });
  });

  it('blames the server where it is not ready until time is up, and tells its last answer', async () => {
    const details = 'Not enough hosts to serve the request';
    const address = await serve({ code: status.UNAVAILABLE, details });
    expect(await connectFailure({ address })).toMatchObject({
      fault: 'server',
      message: expect.stringContaining(`UNAVAILABLE: ${details}`),
      cause: { code: status.DEADLINE_EXCEEDED },
    });
  });

  it('blames TLS, and says to set it, where the port expects it', async () => {
    const authority = new CertificateAuthority('test CA');
    ends.push(() => authority.remove());
    const pair = authority.issue('127.0.0.1');
    const credentials = ServerCredentials.createSsl(null, [{ private_key: pair.key, cert_chain: pair.crt }]);
    expect(await connectFailure({ address: await serve({ message: {} }, credentials) })).toMatchObject({
      fault: 'tls',
      hint: expect.stringContaining('set tls'),
    });
  });
});

describe('an API key that the server refuses', () => {
  it('is named as the fault over TLS, and the next one is tried on the same connection', async () => {
    const authority = new CertificateAuthority('test CA');
    ends.push(() => authority.remove());
    const pair = authority.issue('127.0.0.1');
    const server = new ScriptedServer(
      ServerCredentials.createSsl(null, [{ private_key: pair.key, cert_chain: pair.crt }]),
    );
    ends.push(() => server.close());
    server.script = {
      getSystemInfo: [{ code: status.UNAUTHENTICATED, details: 'expired' }, { message: {} }],
    };
    const connection = Connection.lazy({
      address: await server.listen(),
      apiKey: 'old',
      tls: { serverRootCACertificate: authority.certificate },
    });
    await expect(connection.ensureConnected()).rejects.toMatchObject({
      fault: 'credentials',
      message: expect.stringContaining('expired'),
      hint: expect.stringContaining('API key'),
    });
    connection.setApiKey('new');
    await connection.ensureConnected();
    await connection.close();
    expect(server.asked.map(({ headers }) => headers.get('authorization')[0])).toEqual([
      'Bearer old',
      'Bearer new',
    ]);
  });
});

describe('credentials of grpc-js', () => {
  it('make the channel, and go with every call over TLS', async () => {
    const authority = new CertificateAuthority('test CA');
    ends.push(() => authority.remove());
    const pair = authority.issue('127.0.0.1');
    const server = new ScriptedServer(
      ServerCredentials.createSsl(null, [{ private_key: pair.key, cert_chain: pair.crt }]),
    );
    ends.push(() => server.close());
    const address = await server.listen();
    let asked = 0;
    const callCredentials = [
      CallCredentials.createFromMetadataGenerator((_options, give) => {
        const headers = new Metadata();
        headers.set('ticket', `number-${++asked}`);
        give(null, headers);
      }),
    ];
    const tickets = () => server.asked.splice(0).map(({ headers }) => headers.get('ticket'));
    const own = await Connection.connect({
      address,
      tls: { serverRootCACertificate: authority.certificate },
      callCredentials,
    });
    await own.workflowService.getSystemInfo({});
    await own.close();
    expect(tickets()).toEqual([['number-1'], ['number-2']]);

    const channel = ChannelCredentials.createSsl(authority.certificate);
    const composed = await Connection.connect({ address, credentials: channel, callCredentials });
    await composed.close();
    expect(tickets()).toEqual([['number-3']]);
  });
});
