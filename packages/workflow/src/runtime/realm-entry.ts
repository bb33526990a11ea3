/**
 * The whole of the runtime's script: what `lib/realm.js` evaluates to.
 *
 * E1  Evaluating it touches nothing of the realm and needs no name that the language does not define.
 */
import * as common from '@perdure/common';
import * as workflow from '../index';
import type { RuntimeHost, RuntimeParts } from './host';
import { createRuntime, runtimeGlobals } from './index';

/** Makes the runtime of a realm; to be called once. */
export default function makeRuntime(host: RuntimeHost): RuntimeParts {
  const modules: Record<string, object> = {
    '@perdure/workflow': { ...workflow },
    '@perdure/common': { ...common },
  };
  return { api: createRuntime(host, modules), modules, globals: runtimeGlobals };
}
