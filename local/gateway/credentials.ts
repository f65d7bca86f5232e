/**
 * Who calls. Requests are signed with SigV4 as for AWS, but signatures are not checked: on one machine the access key id
 * alone tells the caller. Every role of the templates gets a key of its own, so the request log can name the role.
 */
import { createHash } from 'node:crypto';
import type { Caller } from './service';

/** The person's own commands; any secret goes with it. */
export const ROOT_ACCESS_KEY_ID = 'LOCALROOT0000000000';

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

export class CredentialRegistry {
  private readonly principals = new Map<string, string>();

  constructor(accountId: string) {
    this.principals.set(ROOT_ACCESS_KEY_ID, `arn:aws:iam::${accountId}:root`);
  }

  /** The role's credentials: the same ones for every task, function and run. */
  issue(roleArn: string): Credentials {
    const digest = createHash('sha256').update(roleArn).digest('hex').toUpperCase();
    const accessKeyId = `LOCAL${digest.slice(0, 16)}`;
    this.principals.set(accessKeyId, roleArn);
    return { accessKeyId, secretAccessKey: digest.slice(16, 56) };
  }

  /** The caller that a wire between services acts as, such as an IoT rule's role. */
  callerOf(roleArn: string): Caller {
    return { accessKeyId: this.issue(roleArn).accessKeyId, principalArn: roleArn };
  }

  /** Undefined for a key that was never issued here. */
  resolve(accessKeyId: string): Caller | undefined {
    const principalArn = this.principals.get(accessKeyId);
    return principalArn === undefined ? undefined : { accessKeyId, principalArn };
  }

  get root(): Caller {
    return { accessKeyId: ROOT_ACCESS_KEY_ID, principalArn: this.principals.get(ROOT_ACCESS_KEY_ID)! };
  }
}

export interface CredentialScope {
  readonly accessKeyId: string;
  readonly region: string;
  /** SigV4 signing name, which is how one port serves every service. */
  readonly service: string;
}

/**
 * The scope `<key>/<yyyymmdd>/<region>/<service>/aws4_request` of the Authorization header, or of the query parameter
 * X-Amz-Credential for a presigned URL; undefined where neither is there.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html
 */
export function readCredentialScope(
  authorization: string | undefined,
  query: URLSearchParams,
): CredentialScope | undefined {
  const credential = /Credential=([^,\s]+)/.exec(authorization ?? '')?.[1] ?? query.get('X-Amz-Credential');
  const match = /^([^/]+)\/\d{8}\/([^/]+)\/([^/]+)\/aws4_request$/.exec(credential ?? '');
  if (match === null) return undefined;
  return { accessKeyId: match[1]!, region: match[2]!, service: match[3]! };
}
