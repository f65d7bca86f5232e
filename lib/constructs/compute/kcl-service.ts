import { Duration, RemovalPolicy, Size } from 'aws-cdk-lib';
import { AdjustmentType, MetricAggregationType } from 'aws-cdk-lib/aws-applicationautoscaling';
import { type IMetric, MathExpression, Metric, Stats } from 'aws-cdk-lib/aws-cloudwatch';
import { Platform } from 'aws-cdk-lib/aws-ecr-assets';
import {
  AwsLogDriverMode,
  Capability,
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  LinuxParameters,
  LogDrivers,
  OperatingSystemFamily,
  PropagatedTagSource,
} from 'aws-cdk-lib/aws-ecs';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { ConsumerConfig } from '../../config/schema';
import { ConsumerEnv } from '../../contracts/environment';
import type { ConsumerMetric } from '../../contracts/metrics';
import type { PartitionLake } from '../lake/partition-lake';
import type { PartitionRegistry } from '../lake/partition-registry';
import { FanOutReader, PollingReader, type StreamReader } from '../stream/stream-reader';
import type { TelemetryStream } from '../stream/telemetry-stream';
import type { ConsumerBundle } from './consumer-bundle';
import type { IsolatedNetwork } from './isolated-network';
import type { LeaseTable } from './lease-table';

/** Fargate's longest: the consumer commits, checkpoints and releases its leases in this time. */
const STOP_TIMEOUT = Duration.seconds(120);

export interface KclServiceProps extends ConsumerConfig {
  readonly network: IsolatedNetwork;
  readonly stream: TelemetryStream;
  readonly leases: LeaseTable;
  readonly lake: PartitionLake;
  readonly registry: PartitionRegistry;
  readonly bundle: ConsumerBundle;
  /** CloudWatch namespace of the consumer's own metrics. */
  readonly metricsNamespace: string;
  readonly logRetention: Duration;
}

/** The consumer: KCL workers on Fargate that share the stream's shards through the lease table. */
export class KclService extends Construct {
  readonly cluster: Cluster;
  readonly service: FargateService;
  /** How the shards are read. */
  readonly reader: StreamReader;
  /** False where the environment turns KCL's metrics off. */
  readonly publishesKclMetrics: boolean;
  private readonly metricsNamespace: string;
  private readonly applicationName: string;

  constructor(scope: Construct, id: string, props: KclServiceProps) {
    super(scope, id);
    this.metricsNamespace = props.metricsNamespace;
    this.publishesKclMetrics = props.metricsLevel !== 'NONE';
    this.applicationName = props.leases.table.tableName;
    this.cluster = new Cluster(this, 'Cluster', {
      vpc: props.network.vpc,
      containerInsightsV2: ContainerInsights.ENABLED,
      enableFargateCapacityProviders: true,
    });
    this.reader =
      props.retrieval === 'fan-out' ? new FanOutReader(this, 'FanOut', props.stream) : new PollingReader(props.stream);
    const taskDefinition = this.taskDefinition(props);
    this.reader.grantRead(taskDefinition.taskRole);
    props.leases.grantWorker(taskDefinition.taskRole);
    props.registry.grantConsume(taskDefinition.taskRole);
    props.lake.grantConsume(taskDefinition.taskRole);

    this.service = new FargateService(this, 'Service', {
      cluster: this.cluster,
      taskDefinition,
      // With scaling the count is the policies' to keep: a number here would reset it at every deployment.
      desiredCount: props.tasks.mode === 'fixed' ? props.tasks.count : undefined,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { rollback: true },
      enableExecuteCommand: false,
      propagateTags: PropagatedTagSource.SERVICE,
      assignPublicIp: false,
      securityGroups: [props.network.taskSecurityGroup],
      capacityProviderStrategies: capacityProviders(props.spotShare),
    });
    if (props.tasks.mode === 'scale-on-lag') this.scaleOnLag(props.tasks);
  }

  private taskDefinition(props: KclServiceProps): FargateTaskDefinition {
    const memoryMiB = props.memory.toMebibytes();
    const taskDefinition = new FargateTaskDefinition(this, 'Task', {
      cpu: props.cpu,
      memoryLimitMiB: memoryMiB,
      runtimePlatform: { cpuArchitecture: CpuArchitecture.ARM64, operatingSystemFamily: OperatingSystemFamily.LINUX },
    });
    const linuxParameters = new LinuxParameters(this, 'Linux', { initProcessEnabled: true });
    linuxParameters.dropCapabilities(Capability.ALL);
    taskDefinition.addContainer('consumer', {
      image: ContainerImage.fromAsset(props.bundle.consumerDirectory, { platform: Platform.LINUX_ARM64 }),
      environment: environment(props, this.reader, memoryMiB),
      user: '1000:1000',
      readonlyRootFilesystem: true,
      linuxParameters,
      stopTimeout: STOP_TIMEOUT,
      healthCheck: {
        command: ['CMD', 'node', '/app/main.js', 'health'],
        interval: Duration.seconds(30),
        timeout: Duration.seconds(10),
        retries: 3,
        startPeriod: Duration.seconds(60),
      },
      logging: LogDrivers.awsLogs({
        streamPrefix: 'consumer',
        // Blocking, a slow log service would hold up the event loop and with it the leases.
        mode: AwsLogDriverMode.NON_BLOCKING,
        maxBufferSize: Size.mebibytes(4),
        logGroup: new LogGroup(this, 'Logs', {
          retention: props.logRetention.toDays(),
          removalPolicy: RemovalPolicy.DESTROY,
        }),
      }),
    });
    return taskDefinition;
  }

  /**
   * Tasks follow the lag. CPU adds tasks only where it stays high for a quarter of an hour: the hourly fold is a short
   * burst, and every added or removed task moves leases.
   */
  private scaleOnLag(tasks: Extract<ConsumerConfig['tasks'], { mode: 'scale-on-lag' }>): void {
    const scaling = this.service.autoScaleTaskCount({ minCapacity: tasks.minimum, maxCapacity: tasks.maximum });
    const target = tasks.targetLag.toMilliseconds();
    const shared = {
      adjustmentType: AdjustmentType.CHANGE_IN_CAPACITY,
      metricAggregationType: MetricAggregationType.MAXIMUM,
    };
    scaling.scaleOnMetric('Lag', {
      ...shared,
      metric: this.reader.metricLag(),
      scalingSteps: [
        { lower: 0, upper: target, change: 0 },
        { lower: target, upper: 4 * target, change: 1 },
        { lower: 4 * target, change: 2 },
      ],
      evaluationPeriods: 3,
      cooldown: Duration.minutes(3),
    });
    scaling.scaleOnMetric('SustainedCpu', {
      ...shared,
      metric: this.metricCpu(),
      scalingSteps: [
        { lower: 0, upper: 85, change: 0 },
        { lower: 85, change: 1 },
      ],
      evaluationPeriods: 3,
      cooldown: Duration.minutes(15),
    });
    scaling.scaleOnMetric('Idle', {
      ...shared,
      metric: new MathExpression({
        label: 'CPU where there is no lag',
        expression: `IF(lag < ${target / 4}, cpu, 100)`,
        usingMetrics: { lag: this.reader.metricLag().with({ period: Duration.minutes(5) }), cpu: this.metricCpu() },
        period: Duration.minutes(5),
      }),
      scalingSteps: [
        { upper: 30, change: -1 },
        { lower: 30, change: 0 },
      ],
      evaluationPeriods: 6,
      cooldown: Duration.minutes(30),
    });
  }

  /** Highest CPU use of a task, per cent of what it has. */
  metricCpu(): Metric {
    return this.service.metricCpuUtilization({ statistic: Stats.MAXIMUM, period: Duration.minutes(5) });
  }

  /** Highest memory use of a task, per cent of what it has. */
  metricMemory(): Metric {
    return this.service.metricMemoryUtilization({ statistic: Stats.MAXIMUM, period: Duration.minutes(5) });
  }

  metricRunningTasks(): IMetric {
    return new Metric({
      namespace: 'ECS/ContainerInsights',
      metricName: 'RunningTaskCount',
      dimensionsMap: { ClusterName: this.cluster.clusterName, ServiceName: this.service.serviceName },
      statistic: Stats.MINIMUM,
      period: Duration.minutes(1),
    });
  }

  /** One of KCL's metrics of the whole application, under KCL's own name. */
  kclMetric(operation: string, metricName: string, statistic: string): Metric {
    return new Metric({
      namespace: this.applicationName,
      metricName,
      dimensionsMap: { Operation: operation },
      statistic,
      period: Duration.minutes(1),
    });
  }

  /** One of KCL's metrics for each shard that there is. */
  kclMetricByShard(operation: string, metricName: string, statistic: string): IMetric {
    const where = `{"${this.applicationName}",Operation,ShardId} MetricName="${metricName}" Operation="${operation}"`;
    return new MathExpression({
      expression: `SEARCH('${where}', '${statistic}', 60)`,
      usingMetrics: {},
      label: '',
      period: Duration.minutes(1),
    });
  }

  /** One of the consumer's own metrics, summed over all tasks. */
  metric(name: (typeof ConsumerMetric)[keyof typeof ConsumerMetric]): Metric {
    return new Metric({
      namespace: this.metricsNamespace,
      metricName: name,
      statistic: Stats.SUM,
      period: Duration.minutes(5),
    });
  }
}

function environment(props: KclServiceProps, reader: StreamReader, memoryMiB: number): Record<string, string> {
  return {
    [ConsumerEnv.streamName]: props.stream.stream.streamName,
    [ConsumerEnv.applicationName]: props.leases.table.tableName,
    [ConsumerEnv.registryTable]: props.registry.table.tableName,
    [ConsumerEnv.lakeBucket]: props.lake.lakeBucket.bucketName,
    [ConsumerEnv.codeVersion]: props.bundle.codeVersion,
    [ConsumerEnv.failoverTime]: String(props.failoverTime.toMilliseconds()),
    [ConsumerEnv.initialPosition]: String(props.initialPosition),
    [ConsumerEnv.consumerArn]: reader.consumerArn ?? '',
    [ConsumerEnv.clientVersionConfig]: props.clientVersionConfig ?? 'CLIENT_VERSION_CONFIG_3X',
    [ConsumerEnv.metricsLevel]: props.metricsLevel ?? 'SUMMARY',
    [ConsumerEnv.flushInterval]: String(props.flushInterval.toMilliseconds()),
    [ConsumerEnv.flushBytes]: String(props.flushSize.toBytes()),
    [ConsumerEnv.lateness]: props.lateness ? String(props.lateness.toMilliseconds()) : '',
    [ConsumerEnv.maxEventAge]: String(props.maxEventAge.toMilliseconds()),
    [ConsumerEnv.maxEventAhead]: String(props.maxEventAhead.toMilliseconds()),
    [ConsumerEnv.metricsNamespace]: props.metricsNamespace,
    // Half for the heap: the columns of a batch and the files being written stand outside it.
    NODE_OPTIONS: `--enable-source-maps --max-old-space-size=${Math.floor(memoryMiB / 2)}`,
  };
}

function capacityProviders(spotShare: number): { capacityProvider: string; base?: number; weight: number }[] {
  const spotWeight = Math.round(spotShare * 100);
  const fargate = { capacityProvider: 'FARGATE', base: 1, weight: 100 - spotWeight };
  return spotWeight === 0 ? [fargate] : [fargate, { capacityProvider: 'FARGATE_SPOT', weight: spotWeight }];
}
