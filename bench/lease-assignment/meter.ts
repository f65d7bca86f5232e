/** Counts requests to a DynamoDB table and the capacity they consume, by the service's rules. */
import type { AttributeValue, Item } from '../../consumer/kcl/dependencies';

export interface Usage {
  readonly requests: number;
  readonly readUnits: number;
  readonly writeUnits: number;
  /** Pages of scans; each is a request. */
  readonly scanPages: number;
}

const READ_UNIT_BYTES = 4_096;
const WRITE_UNIT_BYTES = 1_024;
/** What one page of a scan or a query reads at most. */
export const PAGE_BYTES = 1_048_576;

function valueBytes(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.N !== undefined) return Math.ceil(value.N.length / 2) + 1;
  if (value.B !== undefined) return value.B.length;
  if (value.SS !== undefined) return value.SS.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  const nested = value.L ?? Object.values(value.M ?? {});
  const names = Object.keys(value.M ?? {}).join('').length;
  return 3 + names + nested.reduce((sum, one) => sum + 1 + valueBytes(one), 0);
}

/** @see https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html */
export function itemBytes(item: Item): number {
  let bytes = 0;
  for (const [name, value] of Object.entries(item)) bytes += name.length + valueBytes(value);
  return bytes;
}

export class Meter {
  private requests = 0;
  private readUnits = 0;
  private writeUnits = 0;
  private scanPages = 0;

  /** One page of a scan. */
  scan(bytes: number, consistent: boolean): void {
    this.scanPages++;
    this.read(bytes, consistent);
  }

  /** A GetItem, or a page of a query. */
  read(bytes: number, consistent: boolean): void {
    this.requests++;
    this.readUnits += Math.max(1, Math.ceil(bytes / READ_UNIT_BYTES)) * (consistent ? 1 : 0.5);
  }

  /** A whole scan of so many rows of equal size. */
  scanAll(rows: number, rowBytes: number, consistent: boolean): void {
    for (let left = rows * rowBytes; left > 0; left -= PAGE_BYTES) this.scan(Math.min(left, PAGE_BYTES), consistent);
  }

  /** @param indexEntries entries of the owner index that were put or deleted */
  write(bytes: number, indexEntries: number): void {
    this.requests++;
    this.writeUnits += Math.max(1, Math.ceil(bytes / WRITE_UNIT_BYTES)) + indexEntries;
  }

  get usage(): Usage {
    const { requests, readUnits, writeUnits, scanPages } = this;
    return { requests, readUnits, writeUnits, scanPages };
  }
}

/** A move of a row from one owner to another costs the index an entry deleted and one put. */
export function indexEntries(before: string | undefined, after: string | undefined): number {
  if (before === after) return 0;
  return (before === undefined ? 0 : 1) + (after === undefined ? 0 : 1);
}
