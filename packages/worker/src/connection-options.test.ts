import { connectionOptionsMessage, isLoopback, parseAddress } from './connection-options';
import { InvalidOptionsError } from './options-check';

it.each([
  ['localhost', { host: 'localhost', port: 7233 }],
  ['127.0.0.1:1234', { host: '127.0.0.1', port: 1234 }],
  ['http://example.com:80', { host: 'example.com', port: 80 }],
  ['https://example.com', { host: 'example.com', port: 7233 }],
  ['[::1]', { host: '::1', port: 7233 }],
  ['[2001:db8::5]:99', { host: '2001:db8::5', port: 99 }],
  ['ns.acct.tmprl.cloud:7233', { host: 'ns.acct.tmprl.cloud', port: 7233 }],
])('reads the address %s', (address, expected) => {
  expect(parseAddress(address)).toEqual(expected);
});

it.each(['', ':7233', 'host:', 'host:0', 'host:65536', 'host:port', '::1', 'a b', 'ftp://x', 'host:1:2'])(
  'refuses the address %p',
  (address) => {
    expect(parseAddress(address)).toBeUndefined();
    expect(() => connectionOptionsMessage({ address })).toThrow(InvalidOptionsError);
  },
);

it.each([
  ['localhost', true],
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::1', true],
  ['db.localhost', true],
  ['10.0.0.1', false],
  ['example.com', false],
  ['localhost.example.com', false],
])('knows whether %s is this machine', (host, expected) => {
  expect(isLoopback(host)).toBe(expected);
});

it('compresses only what leaves the machine, unless it is told', () => {
  expect(connectionOptionsMessage({}).gzip).toBe(false);
  expect(connectionOptionsMessage({ address: 'example.com' }).gzip).toBe(true);
  expect(connectionOptionsMessage({ grpcCompression: { codec: 'gzip' } }).gzip).toBe(true);
  expect(connectionOptionsMessage({ address: 'example.com', grpcCompression: { codec: 'none' } }).gzip).toBe(
    false,
  );
});

it('connects in plain text unless TLS or an API key is given', () => {
  expect(connectionOptionsMessage({})).toMatchObject({ targetUrl: 'http://localhost:7233' });
  expect(connectionOptionsMessage({}).tls).toBeUndefined();
  expect(connectionOptionsMessage({ tls: true, address: '[::1]:1' })).toMatchObject({
    targetUrl: 'https://[::1]:1',
    tls: {},
  });
  expect(connectionOptionsMessage({ apiKey: 'k', address: 'x' })).toMatchObject({
    targetUrl: 'https://x:7233',
    apiKey: 'k',
  });
  expect(connectionOptionsMessage({ apiKey: 'k', tls: false }).targetUrl).toBe('http://localhost:7233');
  const pem = new Uint8Array([1]);
  const tls = {
    serverNameOverride: 'name',
    serverRootCACertificate: pem,
    clientCertPair: { crt: pem, key: pem },
  };
  expect(connectionOptionsMessage({ tls }).tls).toEqual({
    domain: 'name',
    serverRootCaCert: pem,
    clientCert: pem,
    clientPrivateKey: pem,
  });
});

it('splits headers into texts and bytes', () => {
  const bytes = new Uint8Array([1, 2]);
  expect(connectionOptionsMessage({ metadata: { a: 'text', 'b-bin': bytes } })).toMatchObject({
    headers: { a: 'text' },
    binaryHeaders: { 'b-bin': bytes },
  });
});

it('reports all problems at once', () => {
  try {
    connectionOptionsMessage({
      adress: 'x',
      tls: { clientCertPair: { crt: 'text' } },
      metadata: { a: new Uint8Array() },
      proxy: { type: 'socks', targetHost: 'p:1', basicAuth: { username: 'a:b', password: 'c' } },
      dnsLoadBalancingConfig: { resolutionInterval: '10s' },
      grpcCompression: { codec: 'zip' },
    } as any);
    throw new Error('took it');
  } catch (error) {
    expect((error as InvalidOptionsError).problems.map(({ field }) => field).sort()).toEqual([
      'adress',
      'dnsLoadBalancingConfig',
      'grpcCompression',
      'metadata.a',
      'proxy.basicAuth.username',
      'proxy.type',
      'tls.clientCertPair.crt',
    ]);
  }
});
