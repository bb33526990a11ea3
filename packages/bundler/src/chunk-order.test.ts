import * as fc from 'fast-check';
import { bundleProject } from './testing/bundle-project';
import { removeProjects } from './testing/project';

afterAll(removeProjects);

/** Modules evaluated by a workflow, in order, without any bundler: imports first, each module once. */
function nativeOrder(entry: number, imports: readonly (readonly number[])[]): number[] {
  const order: number[] = [];
  const seen = new Set<number>();
  const visit = (module: number): void => {
    if (seen.has(module)) return;
    seen.add(module);
    for (const next of imports[module]!) visit(next);
    order.push(module);
  };
  visit(entry);
  return order;
}

describe('chunks', () => {
  it('evaluate, for each type, exactly what it imports and in the order of its imports', async () => {
    // Modules may import only modules of higher number, so that there are no cycles; the first ones are workflows.
    const graph = fc.integer({ min: 3, max: 9 }).chain((size) =>
      fc.tuple(
        fc.integer({ min: 1, max: 3 }),
        fc.tuple(
          ...Array.from({ length: size }, (_, module) =>
            fc.shuffledSubarray(
              Array.from({ length: size - module - 1 }, (_unused, i) => module + 1 + i),
              { maxLength: Math.min(4, size - module - 1) },
            ),
          ),
        ),
      ),
    );
    await fc.assert(
      fc.asyncProperty(graph, async ([workflows, imports]) => {
        const files: Record<string, string> = {
          'workflows.ts': Array.from(
            { length: workflows },
            (_, w) => `export { main${w} } from './m${w}';`,
          ).join('\n'),
        };
        imports.forEach((targets, module) => {
          files[`m${module}.ts`] = `${targets.map((target) => `import './m${target}';`).join('\n')}
            (globalThis.order ??= []).push(${module});
            export async function main${module}() { return ${module}; }`;
        });
        const { realm } = await bundleProject(files);
        for (let workflow = 0; workflow < workflows; workflow++) {
          const run = realm.newRun();
          expect(await run.workflow(`main${workflow}`)()).toBe(workflow);
          expect([...(run.globals.order as number[])]).toEqual(nativeOrder(workflow, imports));
        }
      }),
      { numRuns: 60 },
    );
  });
});
