import { execFileSync } from 'node:child_process';

describe('importing the client', () => {
  it('loads no message code; the first call loads what its service needs and no more', () => {
    const program = `
      const loaded = () => Object.keys(require.cache).filter((file) => /proto.lib.(temporal|grpc|google|perdure)/.test(file));
      const { Client, Connection } = require(${JSON.stringify(require.resolve('@perdure/client'))});
      const client = new Client({ connection: Connection.lazy() });
      client.workflow.getHandle('x');
      const before = loaded();
      client.connection.healthService;
      const health = loaded();
      client.connection.workflowService;
      const all = loaded();
      console.log(JSON.stringify({
        before,
        health: health.length,
        workflow: all.some((file) => file.includes('workflowservice')),
        operator: all.some((file) => file.includes('operatorservice')),
      }));
      process.exit(0);
    `;
    expect(JSON.parse(execFileSync(process.execPath, ['-e', program], { encoding: 'utf8' }))).toEqual({
      before: [],
      health: 1,
      workflow: true,
      operator: false,
    });
  });
});
