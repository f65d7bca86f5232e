import {
  AlreadyExistsException,
  CreatePartitionCommand,
  EntityNotFoundException,
  GetPartitionCommand,
  GetTableCommand,
  type GlueClient,
  type PartitionInput,
  UpdatePartitionCommand,
} from '@aws-sdk/client-glue';
import { generationPrefix, type Partition } from '../../lib/contracts/lake-layout';
import type { SealedPartition } from './decide';

export interface FeatureCatalogOptions {
  readonly glue: Pick<GlueClient, 'send'>;
  readonly database: string;
  readonly lakeBucket: string;
  readonly newestGeneration: (partition: Partition) => Promise<SealedPartition | undefined>;
}

/** Parameter of a Glue partition: the generation that it points at. */
const GENERATION = 'generation';

/** Points Glue partitions at the newest sealed generations. */
export class FeatureCatalog {
  constructor(private readonly options: FeatureCatalogOptions) {}

  /**
   * Applies the registry's newest generation, whatever event came. Glue has no conditional update, so a slow writer may
   * overwrite a faster one with an older generation; each therefore looks at the registry once more after its write.
   */
  async follow(table: string, partition: Partition): Promise<void> {
    let newest = await this.options.newestGeneration(partition);
    while (newest) {
      const { generation } = newest;
      const applied = await this.appliedGeneration(table, partition);
      if (applied !== undefined && applied >= generation) return;
      await this.apply(table, partition, generation, applied !== undefined);
      newest = await this.options.newestGeneration(partition);
      if (newest?.generation === generation) return;
    }
  }

  /** Undefined where Glue has no such partition; 0 where it does not say which generation it is. */
  private async appliedGeneration(table: string, partition: Partition): Promise<number | undefined> {
    try {
      const { Partition } = await this.options.glue.send(
        new GetPartitionCommand({ ...this.names(table), PartitionValues: [partition.dt, partition.hour] }),
      );
      return Number(Partition?.Parameters?.[GENERATION] ?? 0);
    } catch (error) {
      if (error instanceof EntityNotFoundException) return undefined;
      throw error;
    }
  }

  private async apply(table: string, partition: Partition, generation: number, exists: boolean): Promise<void> {
    const { glue, lakeBucket } = this.options;
    const { Table } = await glue.send(new GetTableCommand({ DatabaseName: this.options.database, Name: table }));
    const values = [partition.dt, partition.hour];
    const input: PartitionInput = {
      Values: values,
      Parameters: { [GENERATION]: String(generation) },
      // The columns as the table has them now: Athena reads a partition by its own.
      StorageDescriptor: {
        ...Table?.StorageDescriptor,
        Location: `s3://${lakeBucket}/${generationPrefix(partition, generation)}`,
      },
    };
    const update = new UpdatePartitionCommand({
      ...this.names(table),
      PartitionValueList: values,
      PartitionInput: input,
    });
    if (exists) {
      await glue.send(update);
      return;
    }
    try {
      await glue.send(new CreatePartitionCommand({ ...this.names(table), PartitionInput: input }));
    } catch (error) {
      if (!(error instanceof AlreadyExistsException)) throw error;
      await glue.send(update);
    }
  }

  private names(table: string): { DatabaseName: string; TableName: string } {
    return { DatabaseName: this.options.database, TableName: table };
  }
}
