/** Headers that a function gives. */
import { Connection, type ConnectionOptions } from '@perdure/client';
import { ScriptedServer } from './testing/scripted-server';

let server: ScriptedServer;
let address: string;
const connections: Connection[] = [];

beforeEach(async () => {
  server = new ScriptedServer();
  address = await server.listen();
});
afterEach(async () => {
  for (const connection of connections.splice(0)) await connection.close();
  server.close();
});

function connect(metadata: ConnectionOptions['metadata'], rest: ConnectionOptions = {}): Connection {
  const connection = Connection.lazy({ address, metadata, ...rest });
  connections.push(connection);
  return connection;
}
const call = ({ workflowService }: Connection) => workflowService.describeNamespace({ namespace: 'ns' });
const sent = (name: string) => server.asked.map(({ headers }) => headers.get(name));

describe('metadata by function', () => {
  it('is asked for before every call, and by nothing else', async () => {
    let asked = 0;
    const connection = connect(() => ({ ticket: `t${++asked}`, 'raw-bin': Buffer.from([asked]) }));
    expect(asked).toBe(0);
    await call(connection);
    await call(connection);
    expect(sent('ticket')).toEqual([['t1'], ['t2']]);
    expect(sent('raw-bin')).toEqual([[Buffer.from([1])], [Buffer.from([2])]]);
    for await (const _ of connection.healthService.watch({})) break;
    expect(sent('ticket').at(-1)).toEqual(['t3']);
  });

  it('gives way to the metadata of a scope, and goes before the API key', async () => {
    const connection = connect(() => ({ one: 'function', two: 'function', authorization: 'Bearer mine' }), {
      apiKey: 'key',
      tls: false,
    });
    await connection.withMetadata({ two: 'scope' }, () => call(connection));
    expect([sent('one'), sent('two'), sent('authorization')]).toEqual([
      [['function']],
      [['scope']],
      [['Bearer mine']],
    ]);
  });

  it('ends the call that it fails for, and no other', async () => {
    const failure = new Error('no ticket today');
    let isOpen = false;
    const connection = connect(() => {
      if (!isOpen) throw failure;
      return { ticket: 'yes' };
    });
    await expect(call(connection)).rejects.toBe(failure);
    await expect(connection.ensureConnected()).rejects.toBe(failure); // the server is not at fault
    isOpen = true;
    await call(connection);
    expect(sent('ticket')).toEqual([['yes']]);
  });
});
