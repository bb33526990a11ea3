import { Context } from '@perdure/activity';

/** Activities are ordinary functions: network, files and databases are theirs. They are retried until they succeed. */
export async function greet(name: string): Promise<string> {
  const { attempt } = Context.current().info;
  return attempt === 1 ? `Hello, ${name}!` : `Hello, ${name}! (attempt ${attempt})`;
}
