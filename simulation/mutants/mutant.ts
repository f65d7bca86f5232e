/** A deliberate bug, put between the consumer and its services: the product's code has no hooks for it. */
import type { ConsumerDependencies } from '../../consumer/consumer';
import type { Clock } from '../../consumer/kcl/dependencies';
import type { Build } from '../use-case';

export type Plain = Omit<ConsumerDependencies, 'runner'>;

export interface Seam {
  readonly clock: Clock;
  readonly build: Build;
  /** Epoch milliseconds by the services' clock. */
  readonly serviceTime: () => number;
}

export interface Mutant {
  readonly name: string;
  /** What the bug is, in one sentence. */
  readonly bug: string;
  readonly inject: (plain: Plain, seam: Seam) => Plain;
  /** Why it is harmless: then no seed may find it. */
  readonly harmless?: string;
}
