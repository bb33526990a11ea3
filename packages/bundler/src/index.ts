export { Bundler, bundleWorkflowCode, type WorkflowBundleWithSourceMap } from './bundle-workflow-code';
export type { BundleError, BundleErrorCode, BundleProblem } from './errors';
export type { BundleCacheOptions, BundleOptions, BundlerPlugin } from './options';
export { inlineSourceMap, splitSourceMap } from './source-map';
