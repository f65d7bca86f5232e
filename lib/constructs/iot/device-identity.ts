import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Effect, PolicyDocument, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { CfnPolicy, CfnThingType } from 'aws-cdk-lib/aws-iot';
import { Construct } from 'constructs';
import { telemetryTopic } from '../../contracts/topics';
import type { TelemetryRule } from './telemetry-rule';

/** Resolved by AWS IoT at connect time; a connection whose certificate has no thing attached leaves it unresolved, which denies. */
const THING_NAME = '${iot:Connection.Thing.ThingName}';

export interface DeviceIdentityProps {
  /** Rules whose topics the devices may publish to; one thing type is made for each. */
  readonly rules: readonly TelemetryRule[];
}

/**
 * What a device may do: connect under its own thing name, and publish to its own topics. No subscription.
 * @see https://docs.aws.amazon.com/iot/latest/developerguide/thing-policy-variables.html
 */
export class DeviceIdentity extends Construct {
  /** Attach it to every device certificate. */
  readonly policy: CfnPolicy;
  /** Use case → thing type. */
  readonly thingTypes: ReadonlyMap<string, CfnThingType>;

  constructor(scope: Construct, id: string, props: DeviceIdentityProps) {
    super(scope, id);
    const arn = (resource: 'client' | 'topic', resourceName: string): string =>
      Stack.of(this).formatArn({
        service: 'iot',
        resource,
        resourceName,
        arnFormat: ArnFormat.SLASH_RESOURCE_NAME,
      });

    this.thingTypes = new Map(
      props.rules.map(({ useCase }) => [
        useCase,
        new CfnThingType(this, `ThingType-${useCase}`, {
          thingTypeProperties: { thingTypeDescription: `Devices of the use case ${useCase}` },
        }),
      ]),
    );

    this.policy = new CfnPolicy(this, 'Policy', {
      policyDocument: new PolicyDocument({
        statements: [
          new PolicyStatement({
            sid: 'ConnectAsOneself',
            effect: Effect.ALLOW,
            actions: ['iot:Connect'],
            resources: [arn('client', THING_NAME)],
            conditions: { Bool: { 'iot:Connection.Thing.IsAttached': 'true' } },
          }),
          new PolicyStatement({
            sid: 'PublishOwnReadings',
            effect: Effect.ALLOW,
            actions: ['iot:Publish'],
            // Basic Ingest skips the rule's FROM clause, so its topics are spelled out to the last level.
            resources: props.rules.flatMap((rule) => [
              arn('topic', telemetryTopic(rule.useCase, THING_NAME)),
              arn('topic', rule.basicIngestTopic(THING_NAME)),
            ]),
          }),
        ],
      }),
    });
  }
}
