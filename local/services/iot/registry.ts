/** Everything the control plane keeps, in maps that a journal makes durable. */
import { join } from 'node:path';
import { Journal } from '../../storage/journal';
import type { TopicRulePayload } from './rules/rule';

export interface Thing {
  readonly thingName: string;
  readonly thingId: string;
  readonly thingTypeName?: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly version: number;
  /** Certificate ARNs. */
  readonly principals: readonly { readonly principal: string; readonly exclusive: boolean }[];
  readonly groups: readonly string[];
}

export interface ThingType {
  readonly thingTypeName: string;
  readonly thingTypeId: string;
  readonly thingTypeProperties: Readonly<Record<string, unknown>>;
  readonly deprecated: boolean;
  readonly creationDate: number;
}

export interface ThingGroup {
  readonly thingGroupName: string;
  readonly thingGroupId: string;
  readonly thingGroupProperties: Readonly<Record<string, unknown>>;
  readonly version: number;
  readonly creationDate: number;
}

export interface Certificate {
  /** SHA-256 of the DER form, hex: also the principal that rules see. */
  readonly certificateId: string;
  readonly certificatePem: string;
  readonly status: 'ACTIVE' | 'INACTIVE' | 'REVOKED';
  readonly creationDate: number;
  readonly lastModifiedDate: number;
}

export interface Policy {
  readonly policyName: string;
  readonly policyDocument: string;
  readonly version: number;
  readonly creationDate: number;
  readonly lastModifiedDate: number;
  /** Certificate and thing group ARNs. */
  readonly targets: readonly string[];
}

export interface TopicRule {
  readonly ruleName: string;
  readonly topicRulePayload: TopicRulePayload;
  readonly createdAt: number;
}

export interface ProvisioningTemplate {
  readonly templateName: string;
  readonly creationDate: number;
  readonly lastModifiedDate: number;
  readonly settings: Readonly<Record<string, unknown>>;
}

interface Kinds {
  readonly thing: Thing;
  readonly thingType: ThingType;
  readonly thingGroup: ThingGroup;
  readonly certificate: Certificate;
  readonly policy: Policy;
  readonly rule: TopicRule;
  readonly template: ProvisioningTemplate;
}

type Kind = keyof Kinds;
interface Entry {
  readonly kind: Kind;
  readonly name: string;
  /** Absent: deleted. */
  readonly value?: unknown;
}

const COMPACTION_SLACK = 1_000;

/** One kind of resource by name. Reads are immediate; a write resolves once it is durable. */
export interface Collection<Value> {
  get(name: string): Value | undefined;
  /** By name. */
  list(): Value[];
  set(name: string, value: Value): Promise<void>;
  delete(name: string): Promise<void>;
}

export class Registry {
  readonly things = this.collection('thing');
  readonly thingTypes = this.collection('thingType');
  readonly thingGroups = this.collection('thingGroup');
  readonly certificates = this.collection('certificate');
  readonly policies = this.collection('policy');
  readonly rules = this.collection('rule');
  readonly templates = this.collection('template');
  /** Rises with every change: what was derived from an older one is stale. */
  revision = 0;
  private readonly maps = new Map<Kind, Map<string, unknown>>();
  private readonly journal: Journal<Entry>;

  constructor(directory: string) {
    let entries = 0;
    this.journal = Journal.open<Entry>(join(directory, 'registry.jsonl'), (entry) => {
      entries++;
      this.apply(entry);
    });
    const alive = [...this.maps].flatMap(([kind, map]) =>
      [...map].map(([name, value]): Entry => ({ kind, name, value })),
    );
    if (entries > 2 * alive.length + COMPACTION_SLACK) this.journal.rewrite(alive);
  }

  close(): void {
    this.journal.close();
  }

  private collection<K extends Kind>(kind: K): Collection<Kinds[K]> {
    const map = (): Map<string, Kinds[K]> => this.mapOf(kind) as Map<string, Kinds[K]>;
    const write = (entry: Entry): Promise<void> => {
      this.apply(entry);
      return this.journal.append(entry);
    };
    return {
      get: (name) => map().get(name),
      list: () => [...map()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value),
      set: (name, value) => write({ kind, name, value }),
      delete: (name) => write({ kind, name }),
    };
  }

  private mapOf(kind: Kind): Map<string, unknown> {
    let map = this.maps.get(kind);
    if (map === undefined) this.maps.set(kind, (map = new Map()));
    return map;
  }

  private apply({ kind, name, value }: Entry): void {
    this.revision++;
    if (value === undefined) this.mapOf(kind).delete(name);
    else this.mapOf(kind).set(name, value);
  }
}
