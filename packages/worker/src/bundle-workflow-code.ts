/** `bundleWorkflowCode`: bundles ahead of time. The bundler is loaded when it is first called. */
import type { BundleOptions, WorkflowBundleWithSourceMap } from '@perdure/bundler';
import { Runtime } from './runtime';

export type { BundleOptions };

/**
 * Bundles workflow code into one script, for `WorkerOptions.workflowBundle`.
 * @throws {BundleError} every problem found, with `code` BUNDLE_...
 */
export async function bundleWorkflowCode(options: BundleOptions): Promise<WorkflowBundleWithSourceMap> {
  const bundler = require('@perdure/bundler') as typeof import('@perdure/bundler');
  return bundler.bundleWorkflowCode({ ...options, logger: options?.logger ?? Runtime.instance().logger });
}
