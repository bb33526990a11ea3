/**
 * The object trees behind the index: `temporal.api.common.v1.Payload` and so on.
 *
 * N1  Nothing is loaded before it is touched: importing the index loads no message file, reading a member loads the
 *     one file that holds it.
 */

/** Files of a package, each with the names that it exports; nested names are joined by "_". */
export type PackageContents = ReadonlyArray<readonly [load: () => any, names: string]>;

/** Defines a property whose value is made when it is first read. */
function defineLazy(target: object, name: string, make: () => unknown): void {
  Object.defineProperty(target, name, {
    enumerable: true,
    configurable: true,
    get() {
      const value = make();
      Object.defineProperty(target, name, { value, enumerable: true });
      return value;
    },
  });
}

/** Members of one package, or of one message: those whose names begin with `prefix`. */
function defineMembers(target: object, load: () => any, names: readonly string[], prefix: string): void {
  for (const name of names) {
    if (!name.startsWith(prefix) || name.slice(prefix.length).includes('_')) continue;
    const inner = `${name}_`;
    const hasNested = names.some((other) => other.startsWith(inner));
    defineLazy(target, name.slice(prefix.length), () => {
      const own = load()[name];
      if (!hasNested) return own;
      const withNested = Object.create(own ?? null);
      defineMembers(withNested, load, names, inner);
      return withNested;
    });
  }
}

/** The tree of the packages whose names begin with `root`. */
export function makeNamespace(root: string, packages: Readonly<Record<string, PackageContents>>): any {
  const tree: any = {};
  const children = new Set<string>();
  for (const name of Object.keys(packages)) {
    if (name === root) {
      for (const [load, names] of packages[name]!) defineMembers(tree, load, names.split(' '), '');
    } else if (name.startsWith(`${root}.`)) {
      children.add(name.slice(root.length + 1).split('.')[0]!);
    }
  }
  for (const child of children) defineLazy(tree, child, () => makeNamespace(`${root}.${child}`, packages));
  return tree;
}
