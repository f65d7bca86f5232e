/**
 * Limits of CreateProcessingJob and CreateTrainingJob, as the service model and API reference state them. Each function
 * throws a ValidationException for the first member at fault.
 */
import {
  type Input,
  optionalList,
  optionalNumber,
  optionalObject,
  optionalText,
  requiredText,
  validation,
} from '../input';
import { parseS3Uri } from '../s3-uri';

const PROCESSING_ROOT = '/opt/ml/processing/';
const ROLE = /^arn:aws[a-z-]*:iam::\d{12}:role\/?[a-zA-Z_0-9+=,.@\-_/]+$/;
const MAXIMUM_PROCESSING_SECONDS = 604_800;
const MAXIMUM_TRAINING_SECONDS = 2_419_200;

function structure(input: Input, member: string): Input {
  const value = optionalObject(input, member);
  if (!value) throw validation(`${member} is required`);
  return value;
}

function list(input: Input, member: string, maximum: number): readonly Input[] {
  const values = optionalList(input, member) ?? [];
  if (values.length > maximum)
    throw validation(`${member} has ${values.length} members; at most ${maximum} are allowed`);
  return values as readonly Input[];
}

function texts(input: Input, member: string, maximum: number, length: number): void {
  for (const text of list(input, member, maximum) as unknown as readonly unknown[]) {
    if (typeof text !== 'string') throw validation(`${member} must hold strings only`);
    if (text.length > length)
      throw validation(`${member} holds a text of ${text.length} characters; at most ${length} are allowed`);
  }
}

function textMap(input: Input, member: string, maximum: number, keyLength: number, valueLength: number): void {
  const map = optionalObject(input, member) ?? {};
  if (Object.keys(map).length > maximum)
    throw validation(`${member} has ${Object.keys(map).length} entries; at most ${maximum} are allowed`);
  for (const [key, value] of Object.entries(map)) {
    if (typeof value !== 'string')
      throw validation(`${member}.${key} must be a string; Std:Join makes one of a parameter`);
    if (key.length > keyLength)
      throw validation(`${member}: a key has ${key.length} characters; at most ${keyLength} are allowed`);
    if (value.length > valueLength)
      throw validation(`${member}.${key} has ${value.length} characters; at most ${valueLength} are allowed`);
  }
}

function distinct(values: readonly string[], member: string): void {
  const repeated = values.find((value, index) => values.indexOf(value) !== index);
  if (repeated !== undefined) throw validation(`${member} names ${repeated} twice`);
}

function belowProcessingRoot(input: Input, member: string): void {
  const path = requiredText(input, 'LocalPath', { maximum: 256 });
  if (!path.startsWith(PROCESSING_ROOT)) throw validation(`${member}: LocalPath must be below ${PROCESSING_ROOT}`);
}

export function checkProcessingRequest(request: Input): void {
  const application = structure(request, 'AppSpecification');
  requiredText(application, 'ImageUri', { maximum: 255 });
  texts(application, 'ContainerEntrypoint', 100, 256);
  texts(application, 'ContainerArguments', 100, 256);
  requiredText(request, 'RoleArn', { minimum: 20, maximum: 2048, pattern: ROLE });
  textMap(request, 'Environment', 100, 256, 256);
  checkCluster(structure(structure(request, 'ProcessingResources'), 'ClusterConfig'));
  checkStoppingCondition(request, MAXIMUM_PROCESSING_SECONDS);

  const inputs = list(request, 'ProcessingInputs', 10);
  distinct(
    inputs.map((input) => requiredText(input, 'InputName', { minimum: 1 })),
    'ProcessingInputs',
  );
  for (const input of inputs) {
    const name = `ProcessingInputs ${String(input.InputName)}`;
    if (input.DatasetDefinition !== undefined)
      throw validation(`${name}: DatasetDefinition does not run here; give an S3Input`);
    const s3 = structure(input, 'S3Input');
    parseS3Uri(requiredText(s3, 'S3Uri', { maximum: 1024 }));
    requiredText(s3, 'S3DataType', { oneOf: ['S3Prefix', 'ManifestFile'] });
    if (requiredText(s3, 'S3InputMode', { oneOf: ['File', 'Pipe'] }) === 'Pipe')
      throw validation(`${name}: S3InputMode Pipe does not run here; use File`);
    optionalText(s3, 'S3DataDistributionType', { oneOf: ['FullyReplicated', 'ShardedByS3Key'] });
    const compression = optionalText(s3, 'S3CompressionType', { oneOf: ['None', 'Gzip'] });
    if (compression === 'Gzip') throw validation(`${name}: S3CompressionType Gzip works in Pipe mode only`);
    belowProcessingRoot(s3, name);
  }
  const outputs = list(optionalObject(request, 'ProcessingOutputConfig') ?? {}, 'Outputs', 10);
  distinct(
    outputs.map((output) => requiredText(output, 'OutputName', { minimum: 1 })),
    'ProcessingOutputConfig.Outputs',
  );
  for (const output of outputs) {
    const s3 = structure(output, 'S3Output');
    parseS3Uri(requiredText(s3, 'S3Uri', { maximum: 1024 }));
    requiredText(s3, 'S3UploadMode', { oneOf: ['EndOfJob', 'Continuous'] });
    belowProcessingRoot(s3, `ProcessingOutputConfig.Outputs ${String(output.OutputName)}`);
  }
}

export function checkTrainingRequest(request: Input): void {
  const algorithm = structure(request, 'AlgorithmSpecification');
  requiredText(algorithm, 'TrainingImage', { maximum: 255 });
  requiredText(algorithm, 'TrainingInputMode', { oneOf: ['File', 'FastFile', 'Pipe'] });
  if (list(algorithm, 'MetricDefinitions', 40).length > 0) {
    throw validation(
      'AlgorithmSpecification.MetricDefinitions cannot be given for built-in algorithms, which bring their own',
    );
  }
  requiredText(request, 'RoleArn', { minimum: 20, maximum: 2048, pattern: ROLE });
  textMap(request, 'HyperParameters', 100, 256, 2500);
  textMap(request, 'Environment', 100, 512, 512);
  parseS3Uri(requiredText(structure(request, 'OutputDataConfig'), 'S3OutputPath', { maximum: 1024 }));
  checkCluster(structure(request, 'ResourceConfig'));
  checkStoppingCondition(request, MAXIMUM_TRAINING_SECONDS);

  const channels = list(request, 'InputDataConfig', 20);
  distinct(
    channels.map((channel) =>
      requiredText(channel, 'ChannelName', { minimum: 1, maximum: 64, pattern: /^[A-Za-z0-9.\-_]+$/ }),
    ),
    'InputDataConfig',
  );
  for (const channel of channels) {
    const s3 = structure(structure(channel, 'DataSource'), 'S3DataSource');
    parseS3Uri(requiredText(s3, 'S3Uri', { maximum: 1024 }));
    requiredText(s3, 'S3DataType', { oneOf: ['S3Prefix', 'ManifestFile'] });
    optionalText(s3, 'S3DataDistributionType', { oneOf: ['FullyReplicated', 'ShardedByS3Key'] });
    optionalText(channel, 'ContentType', { maximum: 256 });
    optionalText(channel, 'CompressionType', { oneOf: ['None', 'Gzip'] });
    optionalText(channel, 'InputMode', { oneOf: ['File', 'FastFile', 'Pipe'] });
  }
}

function checkCluster(cluster: Input): void {
  const count = optionalNumber(cluster, 'InstanceCount', 1, 100);
  if (count === undefined) throw validation('InstanceCount is required');
  if (count > 1) throw validation(`InstanceCount ${count} does not run here; one instance does`);
  requiredText(cluster, 'InstanceType', { pattern: /^ml\./ });
  if (optionalNumber(cluster, 'VolumeSizeInGB', 1, 16384) === undefined) throw validation('VolumeSizeInGB is required');
}

function checkStoppingCondition(request: Input, maximumSeconds: number): void {
  const condition = optionalObject(request, 'StoppingCondition') ?? {};
  const runtime = optionalNumber(condition, 'MaxRuntimeInSeconds', 1, maximumSeconds) ?? 86_400;
  const wait = optionalNumber(condition, 'MaxWaitTimeInSeconds', 1, maximumSeconds);
  const spot = request.EnableManagedSpotTraining === true;
  if (spot && wait === undefined)
    throw validation('StoppingCondition.MaxWaitTimeInSeconds is required with EnableManagedSpotTraining');
  if (!spot && wait !== undefined)
    throw validation('StoppingCondition.MaxWaitTimeInSeconds needs EnableManagedSpotTraining');
  if (wait !== undefined && wait < runtime)
    throw validation('StoppingCondition.MaxWaitTimeInSeconds must be at least MaxRuntimeInSeconds');
}
