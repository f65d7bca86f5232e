/**
 * Documents that others collected: one payload per file, named as JSONTestSuite's test_parsing names them: `y_` must parse,
 * `n_` must not, `i_` (and any other name) may do either. Each is published as it stands, and inside readings, where a
 * reader of readings would stumble over it.
 */
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { MAXIMUM_DEPTH, MAXIMUM_PAYLOAD_BYTES } from '../../consumer/readings/reasons';
import { UserError } from './command-line';
import { enveloped, readingText, type CorpusItem } from './corpus-item';
import { textItems } from './corpus-own';

/** A document in one of the places in which it is published. */
interface Place {
  readonly name: string;
  payload(document: Buffer): Buffer;
  /** A valid document makes a row here, if it is not too deep. */
  readonly isRow: boolean;
}

const [OPEN_BRACKET, CLOSE_BRACKET] = [0x5b, 0x5d];

/** Most documents about numbers and texts are arrays of one: what stands in the brackets, as a value. */
function unwrapped(document: Buffer): Buffer {
  const isArray = document[0] === OPEN_BRACKET && document.at(-1) === CLOSE_BRACKET;
  return isArray ? document.subarray(1, -1) : document;
}

const MARK = '"#"';
function around(text: string, document: Buffer): Buffer {
  const [before, after] = text.split(MARK) as [string, string];
  return Buffer.concat([Buffer.from(before), document, Buffer.from(after)]);
}

const PLACES: readonly Place[] = [
  { name: 'as the payload', payload: (document) => document, isRow: false },
  {
    name: 'as an unknown member',
    payload: (document) => around(readingText({}, `,"note":${MARK}`), document),
    isRow: true,
  },
  {
    name: 'as the temperature',
    payload: (document) => around(readingText({ temperature: MARK }), unwrapped(document)),
    isRow: false,
  },
  {
    name: 'between two readings',
    payload: (document) => around(`[${readingText()},${MARK},${readingText()}]`, document),
    isRow: false,
  },
];

/** Containers inside containers. */
function depthOf(value: unknown): number {
  let depth = 0;
  for (let level: unknown[] = [value]; ; depth++) {
    const containers = level.filter((each): each is object => typeof each === 'object' && each !== null);
    if (containers.length === 0) return depth;
    level = containers.flatMap((each) => Object.values(each) as unknown[]);
  }
}

/** The payload as an array's number of elements, or 1; undefined where it is no JSON text that a device may send. */
function elementsOf(payload: Buffer): number | undefined {
  if (payload.length > MAXIMUM_PAYLOAD_BYTES) return undefined;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
    const value: unknown = JSON.parse(text);
    if (depthOf(value) > MAXIMUM_DEPTH) return undefined;
    return Array.isArray(value) ? Math.max(1, value.length) : 1;
  } catch {
    return undefined;
  }
}

function fileItem(name: string, document: Buffer, place: Place): CorpusItem {
  const payload = place.payload(document);
  const elements = elementsOf(payload);
  const rows = name.startsWith('n_') ? 0 : place.isRow && name.startsWith('y_') && elements === 1 ? 1 : undefined;
  return {
    name: `${name} ${place.name}`,
    data: () => enveloped(payload),
    elements: elements ?? 1,
    ...(rows === undefined ? {} : { rows }),
  };
}

/** @throws UserError where the folder cannot be read or holds no file. */
export function documentItems(directory: string): { files: number; items: CorpusItem[] } {
  if (!existsSync(directory) || !statSync(directory).isDirectory()) {
    throw new UserError(
      `--corpus ${directory} is no folder. It holds one payload per file, as JSONTestSuite's test_parsing.`,
    );
  }
  const names = readdirSync(directory)
    .filter((name) => statSync(path.join(directory, name)).isFile())
    .sort();
  if (names.length === 0)
    throw new UserError(`--corpus ${directory} holds no files: one payload per file is expected.`);
  const items = names.flatMap((name) => {
    const document = readFileSync(path.join(directory, name));
    return PLACES.map((place) => fileItem(name, document, place));
  });
  return { files: names.length, items };
}

/** @throws UserError unless the file is a JSON array of texts. */
export function stringItems(file: string): CorpusItem[] {
  let texts: unknown;
  try {
    texts = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new UserError(`--strings ${file} cannot be read: ${(error as Error).message}`);
  }
  if (!Array.isArray(texts) || !texts.every((text) => typeof text === 'string')) {
    throw new UserError(`--strings ${file} must be a JSON array of texts, as big-list-of-naughty-strings' blns.json.`);
  }
  return (texts as string[]).flatMap((text, at) => textItems(text, `${path.basename(file)} ${at}`));
}
