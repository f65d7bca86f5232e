/** The container's rules on channels and their files, before any file is parsed. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AlgorithmError } from './algorithm-error';

/** A channel as /opt/ml/input/config/inputdataconfig.json has it. */
export interface ChannelConfig {
  readonly ContentType?: string;
  readonly TrainingInputMode: string;
  readonly S3DistributionType?: string;
}

export type DataFormat = 'csv' | 'parquet';

/** Folders below the channel's own that are read, the channel's own counted as the first. */
const MAXIMUM_FOLDER_DEPTH = 3;
const CHANNELS = ['train', 'validation', 'code'];

/**
 * The format of the training channel, which validation is read in as well.
 * @throws AlgorithmError (user) for a missing or unknown channel, content type or input mode.
 */
export function checkChannels(channels: Readonly<Record<string, ChannelConfig>>): DataFormat {
  if (!channels.train) throw new AlgorithmError('required channel train is missing from InputDataConfig');
  const unknown = Object.keys(channels).filter((name) => !CHANNELS.includes(name));
  if (unknown.length > 0)
    throw new AlgorithmError(`extraneous channel ${unknown.join(', ')}: the algorithm has ${CHANNELS.join(', ')}`);
  for (const [name, { TrainingInputMode }] of Object.entries(channels)) {
    if (TrainingInputMode === 'Pipe') {
      throw new AlgorithmError(
        `channel ${name}: input mode Pipe is no longer supported for these formats; use File or FastFile`,
      );
    }
  }
  return formatOf(channels.train.ContentType);
}

function formatOf(contentType: string | undefined): DataFormat {
  if (contentType === undefined) {
    throw new AlgorithmError(
      'ContentType is missing, which the algorithm reads as text/libsvm: set text/csv or application/x-parquet',
    );
  }
  const [type, ...parameters] = contentType
    .toLowerCase()
    .split(';')
    .map((part) => part.trim());
  if (type === 'csv' || type === 'text/csv') {
    const labels = parameters.find((parameter) => parameter.startsWith('label_size='));
    if (labels !== undefined && labels !== 'label_size=1') {
      throw new AlgorithmError(`ContentType "${contentType}" is not accepted: label_size must be 1`);
    }
    return 'csv';
  }
  if (type === 'parquet' || type === 'application/x-parquet') return 'parquet';
  if (
    ['libsvm', 'text/libsvm', 'text/x-libsvm', 'recordio-protobuf', 'application/x-recordio-protobuf'].includes(type!)
  ) {
    throw new AlgorithmError(
      `ContentType "${contentType}" is one that the algorithm takes but this local run does not: use text/csv or application/x-parquet`,
    );
  }
  throw new AlgorithmError(`"${contentType}" is not an accepted ContentType; use text/csv or application/x-parquet`);
}

/**
 * The files of a channel that the container trains on, in order of their paths; none where the channel is absent or
 * empty. Files deeper than three folders are left out with a warning and no error, and so is every folder that is
 * scanned after the deep one: the container's own behaviour.
 * @throws AlgorithmError (user) where a hidden file is anywhere below.
 */
export function trainingFiles(directory: string, warn: (line: string) => void): string[] {
  if (!existsSync(directory)) return [];
  if (totalSize(directory) === 0) return [];
  const files: string[] = [];
  const scan = (folder: string, depth: number): boolean => {
    if (depth > MAXIMUM_FOLDER_DEPTH) {
      warn(
        `WARNING: the depth of folder ${directory} exceeds the limit ${MAXIMUM_FOLDER_DEPTH}; files in deeper folders are not loaded`,
      );
      return false;
    }
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isFile()) files.push(path);
      else if (entry.isDirectory() && !scan(path, depth + 1)) return false;
    }
    return true;
  };
  scan(directory, 1);
  return files;
}

function totalSize(directory: string): number {
  let size = 0;
  for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    if (entry.name.startsWith('.')) {
      throw new AlgorithmError(
        `hidden file ${entry.name} found in the data of channel ${basename(directory)}; remove it before training`,
      );
    }
    size += statSync(join(entry.parentPath, entry.name)).size;
  }
  return size;
}
