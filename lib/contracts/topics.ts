/**
 * MQTT topics and the IoT rule's envelope: what devices, IoT rules and the consumer agree on.
 *
 * A device publishes to `dt/<use-case>/<thing name>`, or through Basic Ingest to
 * `$aws/rules/<rule>/dt/<use-case>/<thing name>`, which skips the message broker's charge.
 */

/** Thing names as AWS IoT allows them (1–128 characters); also safe inside an S3 key and a topic level. */
export const DEVICE_ID_PATTERN = /^[a-zA-Z0-9:_-]{1,128}$/;

/** Names of use cases: lower-case words joined by hyphens. */
export const USE_CASE_NAME_PATTERN = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/** The topic that thing `device` of `useCase` publishes to. */
export function telemetryTopic(useCase: string, device: string): string {
  return `dt/${useCase}/${device}`;
}

/** The topic filter of the use case's IoT rule: every device of the use case. */
export function telemetryTopicFilter(useCase: string): string {
  return `dt/${useCase}/+`;
}

/** IoT rule names admit only `[A-Za-z0-9_]` (CreateTopicRule). `prefix` is the application's name. */
export function telemetryRuleName(prefix: string, useCase: string): string {
  return `${prefix}_${useCase}`.replace(/[^A-Za-z0-9_]/g, '_');
}

/** The same reading by Basic Ingest: no message-broker charge, the rule is named by the topic. */
export function basicIngestTopic(rule: string, useCase: string, device: string): string {
  return `$aws/rules/${rule}/${telemetryTopic(useCase, device)}`;
}

/**
 * The rule's statement. `encode(*, 'base64')` admits every payload, JSON or not, so that a malformed one reaches
 * quarantine and nothing inside a payload can forge `device` or `topic`.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/binary-payloads.html
 */
export function telemetryRuleSql(useCase: string): string {
  return (
    `SELECT encode(*, 'base64') AS payload, topic() AS topic, topic(3) AS device, timestamp() AS received ` +
    `FROM '${telemetryTopicFilter(useCase)}'`
  );
}

/** What the rule puts on the stream, one JSON object a record. */
export interface TelemetryEnvelope {
  /** The published bytes, base64. */
  readonly payload: string;
  /** The topic without a Basic Ingest prefix. */
  readonly topic: string;
  /** The topic's third level: the thing's name, which the device policy ties to its certificate. */
  readonly device: string;
  /** When the rule saw the message, epoch milliseconds. */
  readonly received: number;
}

/** The use case and device that a topic names, or undefined where it is not a telemetry topic. */
export function parseTelemetryTopic(topic: string): { useCase: string; device: string } | undefined {
  const [root, useCase, device, ...rest] = topic.split('/');
  if (root !== 'dt' || rest.length > 0 || useCase === undefined || device === undefined) return undefined;
  if (!USE_CASE_NAME_PATTERN.test(useCase) || !DEVICE_ID_PATTERN.test(device)) return undefined;
  return { useCase, device };
}
