/** What may differ between environments: everything else is the same everywhere, the local run included. */
import type { Duration, Size } from 'aws-cdk-lib';
import type { ClientVersionConfig, MetricsLevel } from '../contracts/environment';
import type { TriggerPolicy } from '../contracts/training';

export interface EnvironmentConfig {
  /** Lower-case letters and digits, at most 12; part of stack, rule and pipeline names. */
  readonly name: string;
  /** Production refuses settings that can lose data. */
  readonly production: boolean;
  /**
   * Where to deploy. Both or neither of account and region.
   * @default - environment-agnostic: the account and region of the credentials that deploy
   */
  readonly target?: {
    /** 12 digits. */
    readonly account: string;
    readonly region: string;
    /** At least two. Named here because looking them up would need credentials at synthesis. */
    readonly availabilityZones: readonly string[];
  };
  readonly data: DataConfig;
  readonly stream: StreamConfig;
  readonly consumer: ConsumerConfig;
  readonly training: TrainingConfig;
  readonly operations: OperationsConfig;
  /**
   * AWS IoT's logging and audit, which an account has once per region: one of its environments at most may set them.
   * @default - they stay as they are
   */
  readonly iotAccount?: IotAccountConfig;
  /**
   * Whether devices may exchange a shared claim certificate for one of their own.
   * @default false - `npm run devices` and the operator's own means make certificates
   */
  readonly provisionByClaim?: boolean;
}

export interface DataConfig {
  /** What becomes of buckets, tables, stream and keys when a stack is deleted. A bucket with objects stays either way. */
  readonly removal: 'retain' | 'destroy';
  /** DynamoDB deletion protection, and termination protection of the stacks that hold data. */
  readonly deletionProtection: boolean;
  /**
   * When segments under `readings/` expire. Longer than `consumer.maxEventAge`.
   * @default - never
   */
  readonly readingsExpiry?: Duration;
  readonly quarantineExpiry: Duration;
  /** Prepared datasets under `training/`, and evaluations. Models stay. */
  readonly datasetExpiry: Duration;
}

export interface StreamConfig {
  readonly capacity: { readonly mode: 'on-demand' } | { readonly mode: 'provisioned'; readonly shards: number };
  /** 24–8760 hours: how long the consumer may be down without loss. */
  readonly retention: Duration;
}

export interface ConsumerConfig {
  /** CPU units of a task, as Fargate offers them. */
  readonly cpu: 256 | 512 | 1024 | 2048 | 4096;
  readonly memory: Size;
  readonly tasks: ConsumerTasks;
  /** Share of the tasks above the first that may run on Fargate Spot, 0–1. The first always runs on Fargate. */
  readonly spotShare: number;
  /** KCL's failover time: how long a silent worker keeps its leases. At least 5 s. */
  readonly failoverTime: Duration;
  /**
   * How shards are read. By `polling`, applications share five reads and 2 MB a second of each shard. By `fan-out`, this one
   * has 2 MB a second to itself and records are pushed to it, for a price per shard hour and gigabyte; that a shard is idle
   * shows only when its subscription is renewed, every five minutes, so hours may close that much later.
   * @default 'polling'
   */
  readonly retrieval?: 'polling' | 'fan-out';
  /**
   * KCL's: a leader assigns leases by load (`…_3X`), or each worker takes its share (`…_COMPATIBLE_WITH_2X`), as beside Java
   * workers of KCL 2. Workers of both kinds refuse to work together: stop the tasks before this is changed.
   * @default 'CLIENT_VERSION_CONFIG_3X'
   */
  readonly clientVersionConfig?: ClientVersionConfig;
  /**
   * KCL's: which of its metrics are published. `SUMMARY` is five for each shard, and some twenty for the application.
   * @default 'SUMMARY'
   */
  readonly metricsLevel?: MetricsLevel;
  /** Where a shard without a checkpoint starts: its oldest record, or an epoch-millisecond time. */
  readonly initialPosition: 'TRIM_HORIZON' | number;
  /** A batch of a shard is committed at this age or size, whichever comes first. */
  readonly flushInterval: Duration;
  readonly flushSize: Size;
  /**
   * Replaces the lateness of every use case.
   * @default - each use case's own
   */
  readonly lateness?: Duration;
  /** Readings older than this at arrival are quarantined as clock skew. */
  readonly maxEventAge: Duration;
  /** Readings this far ahead of their arrival are quarantined as clock skew. */
  readonly maxEventAhead: Duration;
}

export type ConsumerTasks =
  | { readonly mode: 'fixed'; readonly count: number }
  | {
      readonly mode: 'scale-on-lag';
      readonly minimum: number;
      /** More tasks than shards have nothing to do. */
      readonly maximum: number;
      /** Iterator age at which tasks are added. */
      readonly targetLag: Duration;
    };

export interface TrainingConfig {
  /** SageMaker instance types; Processing has no arm64 ones. */
  readonly processingInstanceType: string;
  readonly trainingInstanceType: string;
  /** Managed spot training. New accounts have no quota for it. */
  readonly spot: boolean;
  /** At most one hour: SageMaker may keep a spot job waiting no longer than this in all. */
  readonly maxRuntime: Duration;
  /**
   * Replaces members of every use case's trigger policy.
   * @default - each use case's own
   */
  readonly trigger?: Partial<TriggerPolicy>;
}

export interface IotAccountConfig {
  /** The least that is logged. At `INFO` every message is, which costs more than the messages. */
  readonly logLevel: 'ERROR' | 'WARN' | 'INFO';
}

export interface OperationsConfig {
  /** One of the retentions that CloudWatch Logs has, in days. */
  readonly logRetention: Duration;
  /** Iterator age that raises the alarm. Shorter than the stream's retention. */
  readonly maxLag: Duration;
  /**
   * Subscribed to the alarm topic.
   * @default - nobody; subscribe by hand
   */
  readonly alarmEmail?: string;
}
