/** Looks for a text in bytes of which nobody knows how they were made. */

/** The forms that a text takes in files and logs, by name. */
export function formsOf(text: string): Map<string, Buffer> {
  const forms = new Map<string, Buffer>();
  const utf8 = Buffer.from(text);
  forms.set('utf8', utf8);
  forms.set('utf16le', Buffer.from(text, 'utf16le'));
  forms.set('utf16be', Buffer.from(text, 'utf16le').swap16());
  forms.set('hex', Buffer.from(utf8.toString('hex')));
  forms.set('HEX', Buffer.from(utf8.toString('hex').toUpperCase()));
  forms.set('numbers', Buffer.from([...utf8].join(',')));
  forms.set('spaced numbers', Buffer.from([...utf8].join(', ')));
  for (let shift = 0; shift < 3; shift++) {
    // What comes before shifts the text by up to two bytes; the outer characters depend on the neighbours.
    const text64 = Buffer.concat([Buffer.alloc(shift), utf8])
      .toString('base64')
      .replace(/=+$/, '');
    const stable = text64.slice(Math.ceil((shift * 4) / 3), -1);
    forms.set(`base64+${shift}`, Buffer.from(stable));
    forms.set(`base64url+${shift}`, Buffer.from(stable.replaceAll('+', '-').replaceAll('/', '_')));
  }
  return forms;
}

/** Where `text` is in `bytes`, in any form, with what stands around it. */
export function findForms(bytes: Uint8Array, text: string): string[] {
  const haystack = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found: string[] = [];
  for (const [form, needle] of formsOf(text)) {
    let at = haystack.indexOf(needle);
    for (let count = 0; at >= 0 && count < 20; count++) {
      const around = haystack.subarray(Math.max(0, at - 60), at + needle.length + 60).toString('latin1');
      found.push(`${form} at ${at}: ${around.replace(/[^\x20-\x7e]/g, '.')}`);
      at = haystack.indexOf(needle, at + 1);
    }
  }
  return found;
}

/** Names of all marks of the form `<prefix>-<name>-end` that stand in `bytes` as plain text. */
export function marksIn(bytes: Uint8Array, prefix: string): Set<string> {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return new Set([...text.matchAll(new RegExp(`${prefix}-([a-z-]+?)-end`, 'g'))].map(([, name]) => name!));
}
