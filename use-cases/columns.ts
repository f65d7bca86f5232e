/**
 * Columns of a use case's Parquet files, derived from its schema and features: writers, Glue tables and datasets agree
 * by reading this list.
 */
import type { UseCase } from './define-use-case';

/** Physical types of Parquet with the logical ones we use: TIMESTAMP is INT64 epoch milliseconds, UTC. */
export type ParquetType = 'STRING' | 'TIMESTAMP' | 'INT32' | 'DOUBLE';

export interface Column {
  readonly name: string;
  readonly parquetType: ParquetType;
  /** Athena's type (AWS Glue Data Catalog). */
  readonly glueType: 'string' | 'timestamp' | 'int' | 'double';
  readonly nullable: boolean;
  readonly comment: string;
}

const GLUE_TYPES = { STRING: 'string', TIMESTAMP: 'timestamp', INT32: 'int', DOUBLE: 'double' } as const;

function column(name: string, parquetType: ParquetType, comment: string, nullable = false): Column {
  return { name, parquetType, glueType: GLUE_TYPES[parquetType], nullable, comment };
}

/** Columns of a segment under `readings/`: the reading, its times and its place in the stream. */
export function readingColumns(useCase: UseCase): readonly Column[] {
  return [
    column('device', 'STRING', 'Thing name, from the topic'),
    column('event_time', 'TIMESTAMP', 'When the device measured'),
    column('received', 'TIMESTAMP', 'When the IoT rule saw the message'),
    column('arrival', 'TIMESTAMP', 'When the stream took the record'),
    column('sequence_number', 'STRING', 'Kinesis sequence number'),
    column('sub_sequence_number', 'INT32', 'Index in a KPL aggregate'),
    column('element', 'INT32', 'Index in an array payload'),
    column('message_id', 'STRING', "The device's own id of the reading", true),
    column('content_hash', 'STRING', 'Of device, event time and values, 16 hex digits'),
    ...Object.entries(useCase.schema).map(([name, field]) =>
      column(name, 'DOUBLE', `${field.description} [${field.unit}]`, true),
    ),
  ];
}

/** Columns of a part under `features/`: one row per device and window. */
export function featureColumns(useCase: UseCase): readonly Column[] {
  return [
    column('device', 'STRING', 'Thing name'),
    column('window_start', 'TIMESTAMP', 'Start of the window, inclusive'),
    column('window_end', 'TIMESTAMP', 'End of the window, exclusive'),
    column('readings', 'INT32', 'Readings in the window'),
    ...useCase.features.map((feature) =>
      column(feature.name, 'DOUBLE', `${feature.description} [${feature.unit}]`, true),
    ),
  ];
}
