import { CreateTopicCommand, PublishCommand, SNSClient, SubscribeCommand } from '@aws-sdk/client-sns';
import { CredentialRegistry, ROOT_ACCESS_KEY_ID } from '../../../local/gateway/credentials';
import { Gateway } from '../../../local/gateway/gateway';
import { SnsService } from '../../../local/services/sns/sns-service';
import type { PublishedMessage } from '../../../local/services/sns/sns-service';

test('what is published is shown, with the subscriptions it would go to', async () => {
  const published: PublishedMessage[] = [];
  const gateway = await Gateway.listen({ port: 0, credentials: new CredentialRegistry('000000000000') });
  gateway.add(
    new SnsService({ accountId: '000000000000', region: 'us-east-1', onPublish: (message) => published.push(message) }),
  );
  const client = new SNSClient({
    endpoint: gateway.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: ROOT_ACCESS_KEY_ID, secretAccessKey: 'x' },
  });
  const { TopicArn } = await client.send(new CreateTopicCommand({ Name: 'alarms' }));
  expect((await client.send(new CreateTopicCommand({ Name: 'alarms' }))).TopicArn).toBe(TopicArn);
  const subscribe = new SubscribeCommand({ TopicArn, Protocol: 'email', Endpoint: 'someone@example.com' });
  const { SubscriptionArn } = await client.send(subscribe);
  expect((await client.send(subscribe)).SubscriptionArn).toBe(SubscriptionArn);
  const { MessageId } = await client.send(
    new PublishCommand({ TopicArn, Subject: 'lag & more', Message: 'a <b> "c"\nd' }),
  );
  expect(MessageId).toMatch(/^[0-9a-f-]{36}$/);
  expect(published).toEqual([
    {
      topicArn: TopicArn,
      subject: 'lag & more',
      message: 'a <b> "c"\nd',
      subscriptions: ['email someone@example.com'],
    },
  ]);
  await expect(client.send(new PublishCommand({ TopicArn: `${TopicArn}x`, Message: 'a' }))).rejects.toMatchObject({
    message: expect.stringContaining('does not exist'),
  });
  client.destroy();
  await gateway.close();
});
