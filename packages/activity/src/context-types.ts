/**
 * The one type of the context that belongs to a package above this one.
 *
 * The runner passes a client through without knowing it. Whoever wires one in names its type by augmenting
 * `ContextTypes`, as `@perdure/worker` does with `{ client: Client }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: made to be augmented
export interface ContextTypes {}

/** Type of `Context.client`: what `ContextTypes` was augmented with. */
export type ContextClient = ContextTypes extends { client: infer C } ? C : any;
