/** Names of the service's resources. */
export class Arns {
  constructor(
    private readonly region: string,
    private readonly accountId: string,
  ) {}

  pipeline(name: string): string {
    return this.of(`pipeline/${name.toLowerCase()}`);
  }

  execution(pipelineName: string, id: string): string {
    return `${this.pipeline(pipelineName)}/execution/${id}`;
  }

  trainingJob(name: string): string {
    return this.of(`training-job/${name.toLowerCase()}`);
  }

  processingJob(name: string): string {
    return this.of(`processing-job/${name.toLowerCase()}`);
  }

  modelPackageGroup(name: string): string {
    return this.of(`model-package-group/${name}`);
  }

  modelPackage(group: string, version: number): string {
    return this.of(`model-package/${group}/${version}`);
  }

  private of(resource: string): string {
    return `arn:aws:sagemaker:${this.region}:${this.accountId}:${resource}`;
  }
}

/** The last part of an ARN, or the text itself: operations take names and ARNs alike. */
export function nameOf(nameOrArn: string): string {
  return nameOrArn.startsWith('arn:') ? nameOrArn.slice(nameOrArn.lastIndexOf('/') + 1) : nameOrArn;
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz0123456789';

/** Letters and digits, as in execution ids and job names. */
export function randomId(length: number, random: () => number): string {
  return Array.from({ length }, () => ALPHABET[Math.floor(random() * ALPHABET.length)]).join('');
}
