/** The part of a logger that the bundler uses; every `Logger` of @perdure/common is one. */
export interface Logger {
  debug(message: string, meta?: Record<string | symbol, any>): any;
  info(message: string, meta?: Record<string | symbol, any>): any;
  warn(message: string, meta?: Record<string | symbol, any>): any;
}
