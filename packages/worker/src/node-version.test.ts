import { hasCode } from '@perdure/common';
import { requireRealms } from './node-version';

it('refuses a Node.js without realms, and says which one is needed and which one this is', () => {
  const refused = (vmConstants: object | undefined) => {
    try {
      requireRealms(vmConstants, '20.11.1');
    } catch (error) {
      return [hasCode(error, 'WORKER_NODE_VERSION'), (error as Error).message];
    }
    return undefined;
  };
  const message = expect.stringMatching(/need Node\.js 20\.19 or newer; this is Node\.js 20\.11\.1 \(.+\)/);
  expect(refused({})).toEqual([true, message]); // Node.js 20.11
  expect(refused({ USE_MAIN_CONTEXT_DEFAULT_LOADER: Symbol('x') })).toEqual([true, message]);
});

it('takes the Node.js that the tests run on', () => {
  expect(() => requireRealms()).not.toThrow();
});
