/** What a statement is evaluated on. */
export interface RuleMessage {
  /** Without the prefix of Basic Ingest, `$aws/rules/<rule>/`. */
  readonly topic: string;
  /** The published bytes. */
  readonly payload: Buffer;
  /** When the rules engine saw it, epoch milliseconds. */
  readonly received: number;
  /** Undefined where it did not come over MQTT. */
  readonly clientId?: string;
  /** Thumbprint of the publisher's certificate, hex. */
  readonly principal?: string;
  readonly sourceIp?: string;
  readonly traceId: string;
}

/** What functions draw on beside the message. */
export interface SqlEnvironment {
  readonly accountId: string;
  /** 0 ≤ x < 1 */
  readonly random: () => number;
  readonly uuid: () => string;
}
