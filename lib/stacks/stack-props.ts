import { RemovalPolicy, type StackProps } from 'aws-cdk-lib';
import type { EnvironmentConfig } from '../config/schema';

export interface PipelineStackProps extends StackProps {
  readonly config: EnvironmentConfig;
}

/** What becomes of a resource that holds data when its stack is deleted. */
export function dataRemovalPolicy({ data }: EnvironmentConfig): RemovalPolicy {
  return data.removal === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY;
}
