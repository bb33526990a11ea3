import { execFileSync } from 'node:child_process';

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

  it('takes less than 60 ms of the processor', () => {
    const program = `
      const before = process.cpuUsage();
      require(${JSON.stringify(require.resolve('@perdure/client'))});
      const { user, system } = process.cpuUsage(before);
      console.log((user + system) / 1000);
    `;
    const run = () => Number(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }));
    // The best of some: what else the machine does is none of the client's doing.
    expect(Math.min(run(), run(), run(), run(), run())).toBeLessThan(60);
  });
});
