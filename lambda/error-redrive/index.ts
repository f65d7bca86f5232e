import { KinesisClient } from '@aws-sdk/client-kinesis';
import { ErrorRedriveEnv } from '../../lib/contracts/environment';
import { requiredVariable } from '../sqs';
import { createHandler } from './handler';

export const handler = createHandler({
  kinesis: new KinesisClient({}),
  streamName: requiredVariable(ErrorRedriveEnv.streamName),
  now: Date.now,
});
