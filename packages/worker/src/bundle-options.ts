/** Types of options around bundles; `@perdure/bundler` is loaded only when something is to be bundled. */

/** What `bundleWorkflowCode` made, in memory. */
export interface WorkflowBundle {
  code: string;
}

/** What `bundleWorkflowCode` gives. */
export interface WorkflowBundleWithSourceMap {
  /** Text of the bundle, with its source map. */
  code: string;
  /** @deprecated the map is part of `code` */
  sourceMap?: string;
}

/** A bundle in a file. */
export interface WorkflowBundlePath {
  codePath: string;
}

/** @deprecated use {@link WorkflowBundlePath} */
export interface WorkflowBundlePathWithSourceMap {
  codePath: string;
  sourceMapPath?: string;
}

/** Any form of a bundle made beforehand. */
export type WorkflowBundleOption =
  | WorkflowBundle
  | WorkflowBundleWithSourceMap
  | WorkflowBundlePath
  | WorkflowBundlePathWithSourceMap;

/** `WorkerOptions.bundlerOptions`. */
export interface BundlerOptions {
  /** Refused: bundles are not made by webpack. */
  webpackConfigHook?: (config: any) => any;
  /** Modules replaced by a stub that throws when it is used. */
  ignoreModules?: string[];
  /** Modules evaluated once and shared, frozen, by all runs of a lane. */
  preloadModules?: string[];
  /** Directories like `node_modules` where dependencies are looked for that are not found in the usual way. */
  nodeModulesPaths?: string[];
}
