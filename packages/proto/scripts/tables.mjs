/**
 * Turns the generated code of a file's messages into tables of their fields (src/table.ts), for the files that are
 * not met on a workflow thread: a tenth of the size, and nothing to compile before it is used.
 *
 * B1  Every statement of the code must be understood; a form that is not known fails the build.
 */

/**
 * Files that keep code of their own: what activations, completions and failures consist of. Of the files with a list,
 * only the messages in it do.
 */
const KEPT = [
  /^temporal\/sdk\/core\//,
  /^perdure\//,
  /^google\/(?!protobuf\/descriptor)/,
  /^grpc\//,
  /^temporal\/api\/(failure|update|protocol|query|sdk|enums)\//,
];
const KEPT_MESSAGES = {
  'temporal/api/common/v1/message.ts': [
    'ActivityType',
    'Header',
    'Header_FieldsEntry',
    'Memo',
    'Memo_FieldsEntry',
    'Payload',
    'Payload_MetadataEntry',
    'Payload_ExternalPayloadDetails',
    'Payloads',
    'Priority',
    'RetryPolicy',
    'SearchAttributes',
    'SearchAttributes_IndexedFieldsEntry',
    'WorkflowExecution',
    'WorkflowType',
  ],
  'temporal/api/history/v1/message.ts': ['History', 'HistoryEvent'], // histories hold thousands
};

const MESSAGE =
  /^function createBase(\w+)\(\):\s*\w+ \{\n {2}return \{([\s\S]*?)\};\n\}\n\nexport const \1:\s*MessageFns<\s*\1\s*> =\s*\{\n([\s\S]*?)^(?: {2})?\};\n/gm;

/** Scalars by the reader's method, which is the writer's too. */
const SCALARS = 'string|bytes|bool|u?int32|sint32|s?fixed32|float|double|u?int64|sint64|s?fixed64';

export function tabulate(text, name) {
  if (KEPT.some((kept) => kept.test(name))) return text;
  const helpers = new Set();
  const keeps = new Set(KEPT_MESSAGES[name]);
  let result = text.replace(MESSAGE, (code, type, base, body) => {
    if (keeps.delete(type)) return code;
    helpers.add('message');
    const fields = fieldsOf(`${name} ${type}`, base, body, helpers);
    const lines = fields.map((field) => `  ${field},\n`).join('');
    return `export const ${type}: MessageFns<${type}> = message<${type}>(() => [${lines && `\n${lines}`}]);\n`;
  });
  const tables = result.match(/ = message</g)?.length ?? 0;
  const messages = text.match(/: MessageFns<|:\s*MessageFns<$/gm)?.length ?? 0;
  const own = KEPT_MESSAGES[name]?.length ?? 0;
  if (keeps.size > 0 || tables + own !== messages) {
    throw new Error(`tables.mjs: ${name}: ${messages} messages, ${tables} tables; ${[...keeps]} not found`); // B1
  }
  if (helpers.size === 0) return text;
  // Conversions of enums to and from JSON are for code of its own.
  if (own === 0)
    result = result.replace(/\n(?:export )?function \w+(?:FromJSON|ToJSON)\([\s\S]*?^\}\n/gm, '\n');
  const up = '../'.repeat(name.split('/').length - 1);
  const [first, ...rest] = result.split('\n');
  return [first, `import { ${[...helpers].sort().join(', ')} } from "${up}table";`, ...rest].join('\n');
}

/** Defaults that follow from the type. */
const ZEROS = new Set(['undefined', '""', '0', 'false', 'NO_BYTES', 'Long.ZERO', 'Long.UZERO']);

const squeeze = (code) =>
  code.replace(/\s+/g, ' ').replace(/ \./g, '.').replace(/\( /g, '(').replace(/,? \)/g, ')').trim();

function fieldsOf(where, base, body, helpers) {
  const order = [...base.matchAll(/(\w+): (\{\}|[^,}]+?)\s*(?=[,}]|$)/g)].map(([, field, initial]) => [
    field,
    initial.trim(),
  ]);
  const cases = new Map();
  for (const [, , number, code] of body.matchAll(/^( {8}| {10})case (\d+): \{\n([\s\S]*?)^\1\}/gm)) {
    const statement = squeeze(code);
    const field = /message\.(\w+)/.exec(statement)?.[1];
    if (field === undefined || cases.has(field)) throw new Error(`tables.mjs: ${where}: ${statement}`);
    cases.set(field, { number, statement });
  }
  if (cases.size !== order.length)
    throw new Error(`tables.mjs: ${where}: ${cases.size} of ${order.length} fields`); // B1
  const json = squeeze(body.slice(body.indexOf(' fromJSON(')));
  return order.map(([field, initial]) => {
    const found = cases.get(field);
    if (found === undefined) throw new Error(`tables.mjs: ${where}.${field} is never read`);
    checkJsonName(where, field, json);
    const isPacked = new RegExp(`fork\\(\\); for \\(const v of message\\.${field}\\)`).test(squeeze(body));
    return entryOf(where, field, initial, { ...found, isPacked }, json, helpers);
  });
}

/** Both spellings in JSON are told from the field's name: hold the generated code to that. */
function checkJsonName(where, field, json) {
  const snake = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  for (const wanted of new Set([field, snake])) {
    if (!new RegExp(`object\\??\\.${wanted}\\b`).test(json)) {
      throw new Error(`tables.mjs: ${where}.${field} has another name than ${wanted} in JSON`);
    }
  }
}

function entryOf(where, field, initial, { number, statement, isPacked }, json, helpers) {
  const label = initial === '[]' ? 'repeated' : initial === '{}' ? 'map' : undefined;
  const entry = (kind, given = label, value) => {
    const rest = value === undefined ? (given === undefined ? [] : [`"${given}"`]) : ['"single"', value];
    return `[${[number, `"${field}"`, kind, ...rest].join(', ')}]`;
  };
  const body = statement.replace(/^if \(tag !== \d+\) \{ break; \} /, '').replace(/ continue;$/, '');
  const form = (pattern) => new RegExp(`^${pattern}$`).exec(body);
  let match;

  // a map
  match = form(
    `const entry\\d+ = (\\w+)\\.decode\\(reader, reader\\.uint32\\(\\)\\); if \\(entry\\d+\\.value != null\\) \\{ setEntry\\(message\\.${field}!, entry\\d+\\.key, entry\\d+\\.value\\); \\}`,
  );
  if (match && label === 'map') return entry(match[1]);
  // messages
  match = form(`message\\.${field} = (\\w+)\\.decode\\(reader, reader\\.uint32\\(\\)\\);`);
  if (match && initial === 'undefined') return entry(match[1]);
  match = form(
    `const el = (\\w+)\\.decode\\(reader, reader\\.uint32\\(\\)\\); if \\(el != null\\) \\{ message\\.${field}!\\.push\\(el\\); \\}`,
  );
  if (match && label === 'repeated') return entry(match[1]);
  // messages that stand as plain values
  match = form(`message\\.${field} = (\\w+)\\.unwrap\\(\\1\\.decode\\(reader, reader\\.uint32\\(\\)\\)\\);`);
  if (match && initial === 'undefined') {
    helpers.add('unwrapped');
    return entry(`unwrapped(${match[1]})`);
  }
  match = form(
    `message\\.${field} = (DoubleValue|FloatValue|U?Int32Value)\\.decode\\(reader, reader\\.uint32\\(\\)\\)\\.value;`,
  );
  if (match && initial === 'undefined') {
    helpers.add('unwrappedNumber');
    return entry(`unwrappedNumber(${match[1]})`);
  }
  // numbers, texts, bytes, enums
  const optional = initial === 'undefined' ? 'optional' : undefined;
  const value = ZEROS.has(initial) ? undefined : initial; // a default of its own, in google's descriptors
  match = form(`message\\.${field} = reader\\.(${SCALARS})\\(\\);`);
  if (match) return entry(`"${match[1]}"`, optional, value);
  match = form(`message\\.${field} = reader\\.int32\\(\\) as any;`);
  if (match) return entry(enumOf(where, field, json), optional, value);
  match = form(
    `const el = reader\\.(string|bytes)\\(\\); if \\(el != null\\) \\{ message\\.${field}!\\.push\\(el\\); \\}`,
  );
  if (match && label === 'repeated') return entry(`"${match[1]}"`);
  match = form(
    `if \\(tag === \\d+\\) \\{ message\\.${field}!\\.push\\(reader\\.(${SCALARS})\\(\\)( as any)?\\); continue; \\} if \\(tag === \\d+\\) .* break;`,
  );
  if (match && label === 'repeated') {
    return entry(match[2] ? enumOf(where, field, json) : `"${match[1]}"`, isPacked ? 'repeated' : 'unpacked');
  }
  throw new Error(`tables.mjs: ${where}.${field}: ${statement} (${initial})`); // B1
}

/** The enum is named by its conversion from JSON alone. */
function enumOf(where, field, json) {
  const [, convert] = new RegExp(`\\b${field}: .*?\\b(\\w+)FromJSON\\(`).exec(json) ?? [];
  if (convert === undefined) throw new Error(`tables.mjs: ${where}.${field}: which enum?`);
  const type = convert[0].toUpperCase() + convert.slice(1);
  return `[${type}, "${type}"]`;
}
