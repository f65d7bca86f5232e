import { Stack } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { IotAccountConfig } from '../config/schema';
import { IotAccountSettings } from '../constructs/iot/account-settings';
import type { PipelineStackProps } from './stack-props';

export interface IotAccountStackProps extends PipelineStackProps {
  readonly settings: IotAccountConfig;
}

/** What AWS IoT has once per account and region. */
export class IotAccountStack extends Stack {
  constructor(scope: Construct, id: string, props: IotAccountStackProps) {
    super(scope, id, props);
    const { logRetention } = props.config.operations;
    new IotAccountSettings(this, 'Settings', { ...props.settings, logRetention });
  }
}
