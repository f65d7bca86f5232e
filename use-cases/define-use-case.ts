/**
 * A use case in one file: topic, reading schema, windows and features, label, algorithm, gate and simulator. The IoT
 * rule, decoder, Parquet and Glue schemas, feature functions, pipeline definition and tests all derive from it.
 */
import type { TriggerPolicy } from '../lib/contracts/training';
import { useCaseProblems } from './validate-use-case';

/** One numeric field of a reading. */
export interface FieldSchema {
  readonly unit: string;
  readonly description: string;
  /** Inclusive range; a value outside is quarantined. */
  readonly minimum: number;
  readonly maximum: number;
  /** A reading without a required field is quarantined; an optional one is null. */
  readonly required: boolean;
  /** `integer` fields refuse fractions. Stored as DOUBLE either way. Default `number`. */
  readonly type?: 'number' | 'integer';
}

/** Readings of one device in ascending event time; all arrays have the same length. */
export interface Series {
  /** Event times, epoch milliseconds. */
  readonly times: Float64Array;
  /** The field's values, NaN where missing. Throws on a name that the schema does not have. */
  column(field: string): Float64Array;
}

/** What a feature is computed from: one device, one window. */
export interface FeatureWindow {
  readonly device: string;
  /** Epoch milliseconds; the window is [start, end). */
  readonly start: number;
  readonly end: number;
  /** Readings in [start, end); at least one. */
  readonly readings: Series;
  /** Readings in [end − lookback, end), which reaches into the previous partition. */
  readonly lookback: Series;
}

export interface Feature {
  /** Column name, snake_case. */
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** Pure; NaN where it cannot be computed. No clock, no randomness. */
  compute(window: FeatureWindow): number;
}

/** Where a row's label comes from. Rows whose label lies beyond the dataset's end are censored, not negative. */
export type Label =
  /** Self-supervised regression: the feature's value in the same device's next window. */
  | { readonly kind: 'next-window'; readonly feature: string }
  /** 1 where the feature reaches the threshold in any window that starts within the horizon after this window's end. */
  | { readonly kind: 'event-within'; readonly feature: string; readonly threshold: number; readonly horizonMs: number };

/** Metrics that the Evaluate step computes on the test split. */
export type MetricName =
  | 'rmse'
  | 'mae'
  /** rmse ÷ rmse of the persistence baseline (next value = this value). */
  | 'rmse_ratio'
  | 'logloss'
  | 'auc'
  | 'aucpr'
  /** aucpr ÷ share of positives, which is what a random ranking scores. */
  | 'aucpr_lift';

export type Gate =
  { readonly metric: MetricName; readonly atMost: number } | { readonly metric: MetricName; readonly atLeast: number };

export interface TrainingDefinition {
  readonly label: Label;
  /** Feature columns fed to the model, in order; default all features. */
  readonly inputs?: readonly string[];
  /**
   * Only windows whose feature reaches `atLeast` are rows (and later scored): a machine that stands still needs no
   * forecast of its failure. The others still tell which events came. Default every window.
   */
  readonly where?: { readonly feature: string; readonly atLeast: number };
  /** By time with an embargo of one label horizon, or by hash of the device id. */
  readonly split: 'time' | 'device';
  /** Built-in XGBoost's hyperparameters, as strings (CreateTrainingJob). */
  readonly hyperparameters: Readonly<Record<string, string>>;
  readonly gate: Gate;
  readonly trigger: TriggerPolicy;
}

/** One simulated device: yields its readings in event-time order. */
export interface SimulatedReading {
  /** Epoch milliseconds. */
  readonly timestamp: number;
  readonly values: Readonly<Record<string, number>>;
  /** What is truly wrong at this moment, for tests of detection; never published. */
  readonly fault?: string;
}

export interface Simulator {
  /** Devices at scale 1. */
  readonly devices: number;
  /** Time between readings of one device, milliseconds. */
  readonly intervalMs: number;
  /** Readings a device packs into one publish when it catches up on a backlog. */
  readonly batch: number;
  /** Seeded and physically plausible; [from, to) in epoch milliseconds. The same arguments give the same readings. */
  readings(options: { device: number; seed: number; from: number; to: number }): Iterable<SimulatedReading>;
}

export interface UseCase {
  /** Lower-case words joined by hyphens; in topics, keys and resource names. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly schema: Readonly<Record<string, FieldSchema>>;
  readonly partition: {
    /** How long a partition stays open for late readings after its hour, milliseconds. */
    readonly latenessMs: number;
  };
  readonly windows: {
    /** Tumbling windows; divides an hour. */
    readonly sizeMs: number;
    /** Reach of rolling features back from a window's end; at least sizeMs, at most one hour. */
    readonly lookbackMs: number;
  };
  readonly features: readonly Feature[];
  readonly training: TrainingDefinition;
  readonly simulator: Simulator;
}

/**
 * Checks a definition and returns it.
 * @throws Error that lists every problem at once.
 */
export function defineUseCase(useCase: UseCase): UseCase {
  const problems = useCaseProblems(useCase);
  if (problems.length > 0) throw new Error(`use case ${useCase.name}: ${problems.join('; ')}`);
  return useCase;
}
