/** The XML of S3's requests and responses. */
import { XMLParser } from 'fast-xml-parser';
import { AwsError } from '../../gateway/service';
import type { HttpResponse } from '../../gateway/service';

export type XmlValue = string | number | boolean | XmlElement | readonly XmlValue[] | undefined;
export interface XmlElement {
  readonly [name: string]: XmlValue;
}

/** One element; an array repeats it, undefined leaves it out. */
export function renderXml(name: string, value: XmlValue, attributes = ''): string {
  if (value === undefined) return '';
  if (Array.isArray(value)) return (value as readonly XmlValue[]).map((item) => renderXml(name, item)).join('');
  const content =
    typeof value === 'object'
      ? Object.entries(value as XmlElement)
          .map(([child, childValue]) => renderXml(child, childValue))
          .join('')
      : escapeXml(String(value));
  return `<${name}${attributes}>${content}</${name}>`;
}

export function xmlResponse(
  name: string,
  value: XmlElement | string,
  headers: Readonly<Record<string, string>> = {},
  status = 200,
): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/xml', ...headers },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n${renderXml(name, value, ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"')}`,
  };
}

// eslint-disable-next-line no-control-regex
const SPECIAL = /[&<>"\u0000-\u001f\u0085\u2028]/g;
const NAMED: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escapeXml(text: string): string {
  return text.replace(SPECIAL, (character) => NAMED[character] ?? `&#x${character.charCodeAt(0).toString(16)};`);
}

const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
  // A DeleteObjects request holds 1,000 keys of up to 1,024 characters, each of which may be an entity.
  processEntities: { enabled: true, maxTotalExpansions: 2_000_000, maxExpandedLength: 20_000_000 },
});

export type ParsedXml = { readonly [name: string]: string | ParsedXml | readonly (string | ParsedXml)[] };

/** The root element's children. @throws AwsError MalformedXML */
export function parseXml(text: string, root: string): ParsedXml {
  let document: Record<string, unknown>;
  try {
    document = parser.parse(text) as Record<string, unknown>;
  } catch {
    throw malformed(root);
  }
  const element = document[root];
  if (element === undefined) throw malformed(root);
  return typeof element === 'object' && element !== null ? (element as ParsedXml) : {};
}

export function children(element: ParsedXml, name: string): readonly ParsedXml[] {
  const value = element[name];
  if (value === undefined) return [];
  return (Array.isArray(value) ? value : [value]).filter((item): item is ParsedXml => typeof item === 'object');
}

export function textOf(element: ParsedXml, name: string): string | undefined {
  const value = element[name];
  return typeof value === 'string' ? value : undefined;
}

function malformed(root: string): AwsError {
  return new AwsError('MalformedXML', `The XML is not well formed or is no ${root}`, 400);
}
