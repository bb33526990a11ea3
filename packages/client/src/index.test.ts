import { execFileSync } from 'node:child_process';

interface Figures {
  /** Time of the processor, in milliseconds. */
  readonly nodeMs: number;
  readonly clientMs: number;
}

describe('importing the client', () => {
  it('loads no message code; the first call loads what its service needs and no more', () => {
    const program = `
      const loaded = () => Object.keys(require.cache).filter((file) => /proto.lib.(temporal|grpc|google|perdure)/.test(file));
      const gRpc = () => Object.keys(require.cache).some((file) => /@grpc.grpc-js/.test(file));
      const { Client, Connection } = require(${JSON.stringify(require.resolve('@perdure/client'))});
      const withoutConnection = gRpc();
      const client = new Client({ connection: Connection.lazy() });
      client.workflow.getHandle('x');
      const before = loaded();
      client.connection.healthService;
      const health = loaded();
      client.connection.workflowService;
      const all = loaded();
      console.log(JSON.stringify({
        before,
        withoutConnection,
        health: health.length,
        workflow: all.some((file) => file.includes('workflowservice')),
        operator: all.some((file) => file.includes('operatorservice')),
      }));
      process.exit(0);
    `;
    expect(JSON.parse(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }))).toEqual({
      before: [],
      withoutConnection: false,
      health: 1,
      workflow: true,
      operator: false,
    });
  });

  it('takes less than 60 ms of the processor, on a machine on which Node.js itself takes 40 to start', () => {
    const program = `
      const ms = ({ user, system }) => (user + system) / 1000;
      const before = process.cpuUsage();
      require(${JSON.stringify(require.resolve('@perdure/client'))});
      console.log(JSON.stringify({ nodeMs: ms(before), clientMs: ms(process.cpuUsage(before)) }));
    `;
    const runs = Array.from(
      { length: 7 },
      () => JSON.parse(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' })) as Figures,
    );
    // The best of some: what else the machine does is none of the client's doing, and no more is its speed.
    const best = (figure: keyof Figures) => Math.min(...runs.map((run) => run[figure]));
    expect(best('clientMs')).toBeLessThan(60 * Math.max(1, best('nodeMs') / 40));
  });
});
