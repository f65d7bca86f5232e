/**
 * Why something was quarantined. Stable codes: dashboards and the quarantine tools count by them.
 *
 * | reason            | what came                                                                      |
 * |-------------------|--------------------------------------------------------------------------------|
 * | not_an_envelope   | a record that no telemetry rule wrote, or over 1 MiB; kept under `unknown`      |
 * | unknown_topic     | a topic that is no `dt/<use case>/<device>` of a known use case; under `unknown` |
 * | topic_mismatch    | the envelope's device is not the topic's third level                            |
 * | empty_payload     | no bytes, or only white space, or an empty array                                |
 * | payload_too_large | more than 128 KiB, which is AWS IoT's limit for a publish                       |
 * | compressed        | gzip, zlib or Zstandard bytes                                                   |
 * | not_utf8          | bytes that are no UTF-8 text                                                    |
 * | too_deep          | JSON nested deeper than {@link MAXIMUM_DEPTH}                                   |
 * | malformed_json    | text that JSON.parse refuses, bare NaN and Infinity among it                    |
 * | not_a_reading     | JSON, but neither an object nor an array of objects                             |
 * | forbidden_name    | a member named `__proto__`, `constructor` or `prototype`                        |
 * | missing_field     | `timestamp` or a required field is absent or null                               |
 * | wrong_type        | a member of another type than the schema's; the text "NaN" is one                |
 * | not_finite        | a number beyond the range of a double, such as 1e400                            |
 * | out_of_range      | a number outside the field's inclusive range                                    |
 * | wrong_device      | `deviceId` in the payload names another device than the topic                   |
 * | clock_skew        | an event time too far ahead of, or too long before, the rule's `received`       |
 */
export type QuarantineReason =
  | 'not_an_envelope'
  | 'unknown_topic'
  | 'topic_mismatch'
  | 'empty_payload'
  | 'payload_too_large'
  | 'compressed'
  | 'not_utf8'
  | 'too_deep'
  | 'malformed_json'
  | 'not_a_reading'
  | 'forbidden_name'
  | 'missing_field'
  | 'wrong_type'
  | 'not_finite'
  | 'out_of_range'
  | 'wrong_device'
  | 'clock_skew';

/** AWS IoT Core's limit for the payload of a publish, bytes. */
export const MAXIMUM_PAYLOAD_BYTES = 128 * 1024;

/** Containers inside containers; a reading needs two. Checked before parsing, which recurses. */
export const MAXIMUM_DEPTH = 32;

/** Use case name that records are counted under when their topic named none. */
export const UNKNOWN_USE_CASE = 'unknown';

/** What is wrong with one reading or one record; never the content itself. */
export interface Fault {
  readonly reason: QuarantineReason;
  readonly field?: string;
  /** What was expected, in words. */
  readonly detail: string;
}
