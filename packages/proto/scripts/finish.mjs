/**
 * Finishes a file written by ts-proto: what its options cannot say.
 *
 * F1  Messages are read and written by src/wire.ts, whose 64-bit integers are `Long` at once (ts-proto goes over
 *     decimal strings), and which keeps depth and bounds itself.
 * F2  Map entries are set so that no key reaches a prototype.
 * F3  JSON helpers stand once, in src/json.ts; times and durations keep their nanoseconds; enums are open.
 * F4  Every replacement is checked by what must not be left: a ts-proto that writes otherwise fails the build.
 * F5  A few imports wait until they are needed.
 */

/** Helpers that ts-proto repeats in each file that needs them; ours have the same names. */
const JSON_HELPERS = [
  'bytesFromBase64',
  'base64FromBytes',
  'isSet',
  'isObject',
  'floatToJson',
  'fromJsonTimestamp',
];
/** Helpers that are not needed any more. */
const DROPPED_HELPERS = [
  'toTimestamp',
  'fromTimestamp',
  'numberToLong',
  'timestampToJson',
  'timestampFromJson',
];

const LEFTOVERS = [
  /__tsProto/,
  /@bufbuild/,
  /\.(?:u?int64|s?fixed64|sint64)\([^)]*toString/,
  /Long\.from(?:String|Number)/,
  /\.equals\(/,
  /\.forEach\(\s*\(\[key/,
  /!\[entry\d+\.key\]/,
  /new Uint8Array\(/,
  /reader\.skip\(tag & 7\)/,
  /\.Buffer\b|\batob\b|\bbtoa\b/,
  /\bfromTimestamp\(|\btoTimestamp\(/,
  /Unrecognized enum value/,
  /_unknownFields/,
];

/**
 * Imports that wait until a message of theirs is met (F5). Nexus tasks hold a response of the service, and with it
 * would come every request and response there is: two thirds of what a worker loads at start.
 */
const LAZY_IMPORTS = new Map([
  ['temporal/sdk/core/nexus/nexus.ts', [/\/workflowservice\//, /\/api\/nexus\//]],
]);

/** F5 */
function makeLazy(text, patterns) {
  let result = text;
  for (const [statement, list, module] of text.matchAll(/^import \{([^}]+)\} from "([^"]+)";\n/gm)) {
    if (!patterns.some((pattern) => pattern.test(module))) continue;
    const names = list
      .split(',')
      .map((each) => each.trim())
      .filter(Boolean);
    const alias = `load_${module.split('/').slice(-3, -1).join('_')}`;
    result = result.replace(
      statement,
      `import type { ${names.join(', ')} } from "${module}";\nconst ${alias} = (): typeof import("${module}") => require("${module}");\n`,
    );
    for (const name of names) {
      result = result.replace(
        new RegExp(`\\b${name}\\.(encode|decode|fromJSON|toJSON)\\(`, 'g'),
        `${alias}().${name}.$1(`,
      );
    }
  }
  if (result === text) throw new Error('finish.mjs: a lazy import was not found');
  return result.replace(/^(?=export )/m, 'declare const require: (path: string) => any;\n\n');
}

const topLevelFunction = (name) => new RegExp(`^(?:export )?function ${name}\\([\\s\\S]*?^}\\n\\n?`, 'm');

export function finish(source, name) {
  const depth = name.split('/').length - 1;
  const up = depth === 0 ? './' : '../'.repeat(depth);
  let text = source.split('\n').slice(4).join('\n');

  // F1
  text = text.replace(/^import \{ BinaryReader, BinaryWriter \} from "@bufbuild\/protobuf\/wire";\n/m, '');
  text = text.replace(
    /^( +)const previousRecursionDepth = [\s\S]*?const end = length === undefined \? reader\.len : reader\.pos \+ length;\n([\s\S]*?)\n\1 {2}return message;\n\1\} finally \{[\s\S]*?\n\1\}\n/gm,
    (_all, indent, body) =>
      [
        `${indent}const end = reader.begin(length);`,
        body.replace(/^ {2}/gm, ''),
        `${indent}reader.end(end);`,
        `${indent}return message;\n`,
      ].join('\n'),
  );
  text = text.replace(
    /if \(\(tag & 7\) === 4 \|\| tag === 0\) \{\s*break;\s*\}\s*reader\.skip\(tag & 7\);/g,
    'reader.skip(tag);',
  );
  text = text.replace(
    /Long\.fromString\(reader\.(u?int64|s?fixed64|sint64)\(\)\.toString\(\)(?:, true)?\)/g,
    'reader.$1()',
  );
  text = text.replace(/(\.(?:u?int64|s?fixed64|sint64)\([^;]*?)\.toString\(\)\)/g, '$1)');
  text = text.replace(/!(message(?:\.\w+)+)\.equals\(Long\.U?ZERO\)/g, '!isZero($1)');
  text = text.replace(/ !== undefined( &&|\) \{)/g, ' != null$1');
  text = text.replace(/new Uint8Array\(0\)/g, 'NO_BYTES');
  text = text.replace(
    /^( +)globalThis\.Object\.entries\(([\w.]+) \|\| \{\}\)\.forEach\(\s*\(\[key, value\]: (\[[\s\S]*?\])\) => \{\n([\s\S]*?)\n\s*\}(?:,\s*)?\);$/gm,
    '$1for (const [key, value] of globalThis.Object.entries($2 || {}) as $3[]) {\n$4\n$1}',
  );
  // F2
  text = text.replace(/(message\.\w+)!\[(entry\d+)\.key\] = \2\.value;/g, 'setEntry($1!, $2.key, $2.value);');
  text = text.replace(/(obj\.\w+)\[k\] = (.*);/g, 'setEntry($1, k, $2);');

  // F3
  for (const helper of [...JSON_HELPERS, ...DROPPED_HELPERS])
    text = text.replace(topLevelFunction(helper), '');
  text = text.replace(/^const timestamp\w+Regex = .*\n\n?/gm, '');
  text = text.replace(/fromTimestamp\(([^()]+)\)\s*\.toISOString\(\)/g, 'timestampToJson($1)');
  text = text.replace(
    /(export function \w+FromJSON\(\s*object: any,?\s*\): (\w+) \{\n)[\s\S]*?^\}/gm,
    '$1  return enumFromJSON($2, object, "$2");\n}',
  );
  text = text.replace(
    /(export function \w+ToJSON\(\s*object: (\w+),?\s*\): string \{\n)[\s\S]*?^\}/gm,
    '$1  return enumToJSON($2, object);\n}',
  );
  const wellKnown = {
    'google/protobuf/timestamp.ts': ['fromJsonTimestamp(object)', 'timestampToJson(message)'],
    'google/protobuf/duration.ts': ['durationFromJson(object)', 'durationToJson(message)'],
  }[name];
  if (wellKnown !== undefined) {
    text = text.replace(/( fromJSON\([\s\S]*?\{\n)[\s\S]*?^ {2}\},$/m, `$1    return ${wellKnown[0]};\n  },`);
    text = text.replace(/( toJSON\([\s\S]*?\{\n)[\s\S]*?^ {2}\},$/m, `$1    return ${wellKnown[1]};\n  },`);
  }

  const lazy = LAZY_IMPORTS.get(name);
  if (lazy !== undefined) text = makeLazy(text, lazy);

  // Options of methods are HTTP annotations as raw bytes: nobody reads them, and they are most of a service file.
  text = text.replace(/options: \{\n( +)_unknownFields: \{[\s\S]*?\n\1\},\n +\},/g, 'options: {},');

  for (const leftover of LEFTOVERS) {
    const found = leftover.exec(text);
    if (found !== null) {
      const line = text.slice(0, found.index).split('\n').length;
      throw new Error(
        `finish.mjs: ${name}:${line} still holds "${found[0]}"; does ts-proto write it differently now?`,
      );
    }
  }

  const uses = (names) =>
    names.filter((each) => new RegExp(`\\b${each}\\(|\\b${each}\\b(?=[;,)\\s|}])`).test(text));
  const imports = [];
  const wire = uses(['BinaryReader', 'BinaryWriter', 'isZero', 'NO_BYTES', 'setEntry']);
  if (wire.length > 0) imports.push(`import { ${wire.join(', ')} } from "${up}wire";`);
  const json = uses([
    ...JSON_HELPERS,
    'timestampToJson',
    'durationFromJson',
    'durationToJson',
    'enumFromJSON',
    'enumToJSON',
  ]);
  if (json.length > 0) imports.push(`import { ${json.join(', ')} } from "${up}json";`);
  const protoName = name.replace(/\.ts$/, '.proto');
  return [
    `// Generated by scripts/generate.mjs from ${protoName}; not to be edited.`,
    ...imports,
    text.replace(/\n{3,}/g, '\n\n'),
  ].join('\n');
}
