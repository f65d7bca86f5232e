/** Tags of streams. */
import { AwsError } from '../../gateway/service';
import { invalidArgument, optionalInteger, optionalString, requiredString, structure } from './input';
import type { Input } from './input';
import { streamNameOf } from './state';
import type { KinesisState, Operation, Operations } from './state';
import type { Stream } from './stream';

const MAXIMUM_TAGS = 50;

/** @throws AwsError InvalidArgumentException, SerializationException */
export function readTags(value: unknown): Record<string, string> {
  const tags = structure(value, 'Tags');
  for (const [key, text] of Object.entries(tags)) {
    if (key === '' || key.length > 128)
      throw invalidArgument(`A tag key has ${key.length} characters; 1 to 128 are allowed.`);
    if (typeof text !== 'string' || text.length > 256)
      throw invalidArgument(`The value of tag ${key} is no string of up to 256 characters.`);
  }
  return tags as Record<string, string>;
}

function readKeys(input: Input): string[] {
  const keys = input['TagKeys'];
  if (!Array.isArray(keys)) throw new AwsError('ValidationException', 'TagKeys must be a list.');
  return keys.map(String);
}

function change(state: KinesisState, stream: Stream, tags: Record<string, string>): Record<string, never> {
  if (Object.keys(tags).length > MAXIMUM_TAGS) {
    throw invalidArgument(`Stream ${stream.settings.name} would have more than ${MAXIMUM_TAGS} tags.`);
  }
  stream.settings.tags = tags;
  state.save(stream);
  return {};
}

function add(find: (state: KinesisState, input: Input) => Stream): Operation {
  return (state, input) => {
    const stream = find(state, input);
    return change(state, stream, { ...stream.settings.tags, ...readTags(input['Tags']) });
  };
}

function remove(find: (state: KinesisState, input: Input) => Stream): Operation {
  return (state, input) => {
    const stream = find(state, input);
    const keys = readKeys(input);
    return change(
      state,
      stream,
      Object.fromEntries(Object.entries(stream.settings.tags).filter(([key]) => !keys.includes(key))),
    );
  };
}

function sorted(stream: Stream): { Key: string; Value: string }[] {
  const entries = Object.entries(stream.settings.tags).sort(([left], [right]) => (left < right ? -1 : 1));
  return entries.map(([Key, Value]) => ({ Key, Value }));
}

const listTagsForStream: Operation = (state, input) => {
  const after = optionalString(input, 'ExclusiveStartTagKey') ?? '';
  const limit = optionalInteger(input, 'Limit', 1, MAXIMUM_TAGS) ?? MAXIMUM_TAGS;
  const tags = sorted(state.find(input)).filter(({ Key }) => Key > after);
  return { Tags: tags.slice(0, limit), HasMoreTags: tags.length > limit };
};

/** The newer operations name the stream by ResourceARN. */
function byResource(state: KinesisState, input: Input): Stream {
  return state.byName(streamNameOf({ StreamARN: requiredString(input, 'ResourceARN') }));
}

const byStream = (state: KinesisState, input: Input) => state.find(input);

export const tagOperations: Operations = {
  AddTagsToStream: add(byStream),
  RemoveTagsFromStream: remove(byStream),
  ListTagsForStream: listTagsForStream,
  TagResource: add(byResource),
  UntagResource: remove(byResource),
  ListTagsForResource: (state, input) => ({ Tags: sorted(byResource(state, input)) }),
};
