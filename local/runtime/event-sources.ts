/** Starts the event source mappings: queues whose messages invoke functions. */
import { REGION } from '../assembly/names';
import type { QueueMappingRequest } from '../assembly/resources/lambda';
import type { CredentialRegistry } from '../gateway/credentials';
import type { Gateway } from '../gateway/gateway';
import type { Clock } from '../gateway/service';
import type { LambdaService } from '../services/lambda/lambda-service';
import { QueueEventSource } from '../services/lambda/queue-event-source';
import type { QueueClient, QueueMessage } from '../services/lambda/queue-event-source';
import type { Logs } from './logs';
import { RUN, queueUrlOf } from './services';

export interface EventSourcesOptions {
  readonly gateway: Gateway;
  readonly credentials: CredentialRegistry;
  readonly lambda: LambdaService;
  readonly clock: Clock;
  readonly logs: Logs;
}

export function startEventSources(
  options: EventSourcesOptions,
  mappings: readonly QueueMappingRequest[],
): QueueEventSource[] {
  const { gateway, lambda, clock, logs } = options;
  return mappings.map(
    (mapping) =>
      new QueueEventSource(
        { ...mapping, queueUrl: queueUrlOf(mapping.queueArn, gateway) },
        {
          queue: queueClient(options, mapping.functionArn),
          invoke: (functionArn, payload) => lambda.invoke(functionArn, payload),
          region: REGION,
          now: () => clock.now(),
          onError: (error) => logs.write(RUN, `event source ${mapping.queueArn}: ${error.message}`),
        },
      ),
  );
}

/** Lambda polls with the function's role. */
function queueClient({ gateway, credentials, lambda }: EventSourcesOptions, functionArn: string): QueueClient {
  const caller = credentials.callerOf(lambda.roleOf(functionArn));
  return {
    receive: async (QueueUrl, MaxNumberOfMessages, WaitTimeSeconds) => {
      const input = {
        QueueUrl,
        MaxNumberOfMessages,
        WaitTimeSeconds,
        MessageSystemAttributeNames: ['All'],
        MessageAttributeNames: ['All'],
      };
      const { Messages = [] } = (await gateway.invoke('sqs', 'ReceiveMessage', input, caller)) as {
        Messages?: QueueMessage[];
      };
      return Messages;
    },
    delete: async (QueueUrl, receiptHandles) => {
      const Entries = receiptHandles.map((ReceiptHandle, index) => ({ Id: String(index), ReceiptHandle }));
      await gateway.invoke('sqs', 'DeleteMessageBatch', { QueueUrl, Entries }, caller);
    },
  };
}
