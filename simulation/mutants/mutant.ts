/** A deliberate bug, put between the consumer and its services: the product's code has no hooks for it. */
import type { S3Client } from '@aws-sdk/client-s3';
import type { ConsumerDependencies } from '../../consumer/consumer';
import type { Clock } from '../../consumer/kcl/dependencies';
import type { Fault } from '../faults';
import type { Random } from '../random';
import type { RunSize } from '../size';
import type { Build } from '../use-case';

export type Plain = Omit<ConsumerDependencies, 'runner'>;

export interface Seam {
  readonly clock: Clock;
  readonly build: Build;
  /** Epoch milliseconds by the services' clock. */
  readonly serviceTime: () => number;
  /** The process's way to the bucket, below `Plain.objects`. */
  readonly s3: S3Client;
}

export interface Mutant {
  readonly name: string;
  /** What the bug is, in one sentence. */
  readonly bug: string;
  readonly inject: (plain: Plain, seam: Seam) => Plain;
  /**
   * Faults added to the seed's own, which make the bug's schedule likely: some schedules need two or three faults in
   * one order. The run without the bug meets the same ones, and must pass.
   */
  readonly schedule?: (random: Random, size: RunSize) => Fault[];
  /** What a service may do and the simulated one never does by itself; in the run without the bug too. */
  readonly service?: (plain: Plain, seam: Seam) => Plain;
  /** Why no seed finds it: another rule stands in for the one that is broken. */
  readonly survives?: string;
}
