/**
 * Turns the generated code of messages into tables of their fields (src/table.ts), where they are not met on a workflow
 * thread: a tenth of the size, and nothing to compile before it is used.
 *
 * B1  Every statement of the code must be understood; a form that is not known fails the build.
 */

/** What activations, completions and failures consist of keeps code that reads and writes it; JSON is by table. */
const KEPT_FILES = [/^perdure\/core\/v1\/exchange/, /^temporal\/api\/(failure|update|protocol|query|sdk)\//];
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
};
/** Keeps its JSON, too: histories hold thousands. */
const KEPT_WHOLE = { 'temporal/api/history/v1/message.ts': ['History', 'HistoryEvent'] };
/** Nothing to do: no messages, none with JSON, or messages with a JSON of their own. */
const LEFT_ALONE = [
  /^temporal\/sdk\/core\//,
  /^google\/(?!protobuf\/descriptor|api\/http)/,
  /^grpc\//,
  /\/service\.ts$/,
];

const MESSAGE =
  /^function createBase(\w+)\(\):\s*\w+ \{\n {2}return \{([\s\S]*?)\};\n\}\n\nexport const \1:\s*MessageFns<\s*\1\s*> =\s*\{\n([\s\S]*?)^(?: {2})?\};\n/gm;

/** Scalars by the reader's method, which is the writer's too. */
const SCALARS = 'string|bytes|bool|u?int32|sint32|s?fixed32|float|double|u?int64|sint64|s?fixed64';

/** A method with one answer. */
const UNARY =
  /\{\s+name: "(\w+)",\s+requestType:\s*(\w+)\s+as\s+typeof\s+\2,\s+requestStream: false,\s+responseType:\s*(\w+)\s+as\s+typeof\s+\3,\s+responseStream: false,\s+options: \{\},\s+\},/g;

export function tabulate(text, name) {
  if (name.endsWith('/service.ts')) {
    const short = text.replace(UNARY, 'unary<"$1", $2, $3>("$1", $2, $3),');
    if (/requestStream/.test(short)) throw new Error(`tables.mjs: ${name}: a method was not understood`); // B1
    const [first, ...rest] = short.split('\n');
    return [
      first,
      `import { type Unary, unary } from "${'../'.repeat(name.split('/').length - 1)}service";`,
      ...rest,
    ].join('\n');
  }
  if (LEFT_ALONE.some((left) => left.test(name))) return text;
  const helpers = new Set();
  const whole = new Set(KEPT_WHOLE[name]);
  const kept = new Set(KEPT_MESSAGES[name]);
  const keepsAll = KEPT_FILES.some((file) => file.test(name));
  let seen = 0;
  const result = text.replace(MESSAGE, (code, type, base, body) => {
    seen++;
    const hasJson = / fromJSON\(/.test(body);
    const keeps = kept.delete(type) || keepsAll;
    if (whole.delete(type) || (keeps && !hasJson)) return code;
    const fields = fieldsOf(`${name} ${type}`, typesOf(text, type), base, body, helpers);
    const lines = fields.map((field) => `  ${field},\n`).join('');
    const table = `() => [${lines && `\n${lines}`}]`;
    if (!keeps) {
      helpers.add('message');
      return `export const ${type}: MessageFns<${type}> = message<${type}>(${table});\n`;
    }
    helpers.add('withJson');
    const own = body.slice(0, /^ *fromJSON\(/m.exec(body).index).trimEnd();
    const start = code.slice(0, code.indexOf('\nexport const '));
    return `${start}\nexport const ${type}: MessageFns<${type}> = withJson<${type}>({\n${own}\n}, ${table});\n`;
  });
  const messages = text.match(/^export const \w+:\s*MessageFns</gm)?.length ?? 0;
  if (whole.size + kept.size > 0 || seen !== messages) {
    throw new Error(`tables.mjs: ${name}: ${seen} of ${messages} messages; ${[...whole, ...kept]} not found`); // B1
  }
  if (helpers.size === 0) return text;
  const up = '../'.repeat(name.split('/').length - 1);
  // Files without JSON describe less than a whole codec.
  const isWhole = /^ {2}fromJSON\(/m.test(text);
  const typed = isWhole
    ? result.replace(/^interface MessageFns<T> \{[\s\S]*?^\}\n/m, '').replaceAll('MessageFns<', 'Codec<')
    : result;
  const imports = [...(isWhole ? ['type Codec'] : []), ...[...helpers].sort()];
  const [first, ...rest] = typed.split('\n');
  return [first, `import { ${imports.join(', ')} } from "${up}table";`, ...rest].join('\n');
}

/**
 * Conversions of enums to and from JSON are called by code of its own alone, and few messages have that.
 * @param {Map<string, string>} files  all files by name; changed in place
 */
export function dropUnusedConversions(files) {
  const calls = new Set();
  for (const text of files.values()) {
    for (const [, indent, name] of text.matchAll(/^( +).*?\b(\w+(?:From|To)JSON)\(/gm))
      if (indent) calls.add(name);
    for (const [call] of text.matchAll(/\b\w+(?:From|To)JSON(?=\()/g)) {
      if (!new RegExp(`^export function ${call}\\(`, 'm').test(text)) calls.add(call);
    }
  }
  for (const [name, text] of files) {
    const without = text.replace(
      /\nexport function (\w+(?:From|To)JSON)\([\s\S]*?^\}\n/gm,
      (code, conversion) => (calls.has(conversion) ? code : ''),
    );
    files.set(
      name,
      without
        .replace(/^ *\w+(?:From|To)JSON,\n/gm, (line) => (calls.has(line.trim().slice(0, -1)) ? line : ''))
        .replace(/^import \{([^}\n]+)\} from/gm, (_statement, list) => {
          const left = list
            .split(',')
            .map((each) => each.trim())
            .filter((each) => !/(?:From|To)JSON$/.test(each) || calls.has(each));
          return `import { ${left.join(', ')} } from`;
        }),
    );
  }
}

/** Type of each field of a message, as its interface says. */
function typesOf(text, type) {
  const body = new RegExp(`^export interface ${type} \\{\\n([\\s\\S]*?)^\\}`, 'm').exec(text)?.[1] ?? '';
  return new Map([...body.matchAll(/^ {2}(\w+)\??:\s*(\w+)/gm)].map(([, field, is]) => [field, is]));
}

/** Defaults that follow from the type. */
const ZEROS = new Set(['undefined', '""', '0', 'false', 'NO_BYTES', 'Long.ZERO', 'Long.UZERO']);

const squeeze = (code) =>
  code.replace(/\s+/g, ' ').replace(/ \./g, '.').replace(/\( /g, '(').replace(/,? \)/g, ')').trim();

function fieldsOf(where, types, base, body, helpers) {
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
  const json = / fromJSON\(/.test(body) ? squeeze(body.slice(body.indexOf(' fromJSON('))) : undefined;
  return order.map(([field, initial]) => {
    const found = cases.get(field);
    if (found === undefined) throw new Error(`tables.mjs: ${where}.${field} is never read`);
    if (json !== undefined) checkJsonName(where, field, json);
    const isPacked = new RegExp(`fork\\(\\); for \\(const v of message\\.${field}\\)`).test(squeeze(body));
    return entryOf(where, field, initial, { ...found, isPacked }, types, helpers);
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

function entryOf(where, field, initial, { number, statement, isPacked }, types, helpers) {
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
  if (match) return entry(enumOf(where, types.get(field)), optional, value);
  match = form(
    `const el = reader\\.(string|bytes)\\(\\); if \\(el != null\\) \\{ message\\.${field}!\\.push\\(el\\); \\}`,
  );
  if (match && label === 'repeated') return entry(`"${match[1]}"`);
  match = form(
    `if \\(tag === \\d+\\) \\{ message\\.${field}!\\.push\\(reader\\.(${SCALARS})\\(\\)( as any)?\\); continue; \\} if \\(tag === \\d+\\) .* break;`,
  );
  if (match && label === 'repeated') {
    return entry(
      match[2] ? enumOf(where, types.get(field)) : `"${match[1]}"`,
      isPacked ? 'repeated' : 'unpacked',
    );
  }
  throw new Error(`tables.mjs: ${where}.${field}: ${statement} (${initial})`); // B1
}

function enumOf(where, type) {
  if (type === undefined || type === 'number') throw new Error(`tables.mjs: ${where}: which enum?`);
  return `[${type}, "${type}"]`;
}
