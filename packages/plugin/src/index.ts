/** One object that configures clients, workers, bundles and connections. */
export type { PluginParameter } from './merge';
export { SimplePlugin, type SimplePluginOptions } from './simple-plugin';
