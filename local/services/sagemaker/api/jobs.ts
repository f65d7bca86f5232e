/** DescribeTrainingJob, DescribeProcessingJob and their lists. */
import { type Input, optionalText, requiredText, validation } from '../input';
import type { JobRecord } from '../jobs/job-record';
import { listPage } from '../paging';
import type { Table } from '../table';

export class Jobs {
  constructor(private readonly records: Table<JobRecord>) {}

  describeTraining(input: Input): unknown {
    return this.find('training', requiredText(input, 'TrainingJobName'));
  }

  describeProcessing(input: Input): unknown {
    return this.find('processing', requiredText(input, 'ProcessingJobName'));
  }

  listTraining(input: Input): unknown {
    const { page, NextToken } = this.page('training', input);
    return {
      TrainingJobSummaries: page.map(({ description }) => ({
        TrainingJobName: description.TrainingJobName,
        TrainingJobArn: description.TrainingJobArn,
        CreationTime: description.CreationTime,
        TrainingEndTime: description.TrainingEndTime,
        LastModifiedTime: description.LastModifiedTime,
        TrainingJobStatus: description.TrainingJobStatus,
        SecondaryStatus: description.SecondaryStatus,
      })),
      NextToken,
    };
  }

  listProcessing(input: Input): unknown {
    const { page, NextToken } = this.page('processing', input);
    return {
      ProcessingJobSummaries: page.map(({ description }) => ({
        ProcessingJobName: description.ProcessingJobName,
        ProcessingJobArn: description.ProcessingJobArn,
        CreationTime: description.CreationTime,
        ProcessingEndTime: description.ProcessingEndTime,
        LastModifiedTime: description.LastModifiedTime,
        ProcessingJobStatus: description.ProcessingJobStatus,
        FailureReason: description.FailureReason,
        ExitMessage: description.ExitMessage,
      })),
      NextToken,
    };
  }

  /** What was under way when the process ended has ended with it. */
  async closeInterrupted(): Promise<void> {
    for (const record of this.records.values()) {
      if (record.status !== 'InProgress' && record.status !== 'Stopping') continue;
      const status = record.kind === 'training' ? 'TrainingJobStatus' : 'ProcessingJobStatus';
      await this.records.put(record.name, {
        ...record,
        status: 'Stopped',
        description: {
          ...record.description,
          [status]: 'Stopped',
          FailureReason: 'the local run stopped while the job was running',
        },
      });
    }
  }

  private find(kind: JobRecord['kind'], name: string): unknown {
    const record = this.records.get(name);
    if (record?.kind !== kind) throw validation('Requested resource not found.');
    return record.description;
  }

  private page(kind: JobRecord['kind'], input: Input): { page: JobRecord[]; NextToken?: string } {
    const status = optionalText(input, 'StatusEquals');
    const rows = this.records
      .values()
      .filter((row) => row.kind === kind && (status === undefined || row.status === status));
    return listPage(rows, input, (row) => row);
  }
}
