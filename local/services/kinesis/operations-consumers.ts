/** Enhanced fan-out consumers: registration. What they read is in subscribe.ts. */
import { AwsError } from '../../gateway/service';
import { invalidArgument, optionalInteger, optionalString, requiredString } from './input';
import type { Input } from './input';
import { ACCOUNT, seconds, streamNameOf } from './state';
import type { KinesisState, Operation, Operations } from './state';
import type { Stream, StreamConsumer } from './stream';
import { decodePage, encodePage } from './tokens';

/** @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html */
const MAXIMUM_CONSUMERS = 20;
const NAME = { min: 1, max: 128, pattern: /^[a-zA-Z0-9_.-]+$/ };

export function consumerStatus(consumer: StreamConsumer, now: number): 'CREATING' | 'ACTIVE' {
  return now < consumer.readyAt ? 'CREATING' : 'ACTIVE';
}

function describe(consumer: StreamConsumer, now: number): Record<string, unknown> {
  return {
    ConsumerName: consumer.name,
    ConsumerARN: consumer.arn,
    ConsumerStatus: consumerStatus(consumer, now),
    ConsumerCreationTimestamp: seconds(consumer.createdAt),
  };
}

export interface FoundConsumer {
  readonly stream: Stream;
  readonly consumer: StreamConsumer;
}

/** @throws AwsError ResourceNotFoundException, InvalidArgumentException */
export function findConsumerByArn(state: KinesisState, arn: string): FoundConsumer {
  const match = /^(arn:aws[^:]*:kinesis:[^:]*:\d{12}:stream\/[a-zA-Z0-9_.-]+)\/consumer\/[a-zA-Z0-9_.-]+:\d+$/.exec(
    arn,
  );
  if (match === null) throw invalidArgument(`ConsumerARN ${arn} is not the ARN of a consumer.`);
  const stream = state.byName(streamNameOf({ StreamARN: match[1] }));
  return { stream, consumer: required(stream, arn, (consumer) => consumer.arn === arn) };
}

function findConsumer(state: KinesisState, input: Input): FoundConsumer {
  const arn = optionalString(input, 'ConsumerARN');
  if (arn !== undefined) return findConsumerByArn(state, arn);
  const streamArn = optionalString(input, 'StreamARN');
  const name = optionalString(input, 'ConsumerName', NAME);
  if (streamArn === undefined || name === undefined) {
    throw invalidArgument('Either ConsumerARN, or StreamARN and ConsumerName must be provided.');
  }
  const stream = state.find({ StreamARN: streamArn });
  return { stream, consumer: required(stream, name, (consumer) => consumer.name === name) };
}

function required(stream: Stream, label: string, matches: (consumer: StreamConsumer) => boolean): StreamConsumer {
  const consumer = stream.settings.consumers.find(matches);
  if (consumer === undefined) {
    throw new AwsError(
      'ResourceNotFoundException',
      `Consumer ${label}, for stream ${stream.settings.name} under account ${ACCOUNT} not found.`,
    );
  }
  return consumer;
}

const register: Operation = (state, input) => {
  const stream = state.find({ StreamARN: requiredString(input, 'StreamARN') });
  const name = requiredString(input, 'ConsumerName', NAME);
  const { consumers, arn } = stream.settings;
  if (consumers.some((consumer) => consumer.name === name)) {
    throw new AwsError(
      'ResourceInUseException',
      `Consumer ${name} of stream ${stream.settings.name} under account ${ACCOUNT} already exists.`,
    );
  }
  if (consumers.length >= MAXIMUM_CONSUMERS) {
    throw new AwsError(
      'LimitExceededException',
      `Stream ${stream.settings.name} has ${MAXIMUM_CONSUMERS} consumers, the most it can have.`,
    );
  }
  const now = state.clock.now();
  const consumer: StreamConsumer = {
    name,
    arn: `${arn}/consumer/${name}:${Math.floor(now / 1_000)}`,
    createdAt: now,
    readyAt: now + state.statusDelayMs,
  };
  stream.settings.consumers = [...consumers, consumer];
  state.save(stream);
  return { Consumer: describe(consumer, now) };
};

const deregister: Operation = (state, input) => {
  const { stream, consumer } = findConsumer(state, input);
  stream.settings.consumers = stream.settings.consumers.filter((other) => other !== consumer);
  state.save(stream);
  return {};
};

const describeConsumer: Operation = (state, input) => {
  const { stream, consumer } = findConsumer(state, input);
  return { ConsumerDescription: { ...describe(consumer, state.clock.now()), StreamARN: stream.settings.arn } };
};

const listConsumers: Operation = (state, input) => {
  const stream = state.find({ StreamARN: requiredString(input, 'StreamARN') });
  const limit = optionalInteger(input, 'MaxResults', 1, 10_000) ?? 100;
  const token = optionalString(input, 'NextToken', { min: 1 });
  const now = state.clock.now();
  const after = token === undefined ? '' : String(decodePage(token, now)['after']);
  const consumers = stream.settings.consumers
    .filter((consumer) => consumer.name > after)
    .sort((left, right) => (left.name < right.name ? -1 : 1));
  const page = consumers.slice(0, limit);
  return {
    Consumers: page.map((consumer) => describe(consumer, now)),
    ...(consumers.length > limit && { NextToken: encodePage({ after: page[page.length - 1]?.name }, now) }),
  };
};

export const consumerOperations: Operations = {
  RegisterStreamConsumer: register,
  DeregisterStreamConsumer: deregister,
  DescribeStreamConsumer: describeConsumer,
  ListStreamConsumers: listConsumers,
};
