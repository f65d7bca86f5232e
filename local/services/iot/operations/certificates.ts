import { X509Certificate } from 'node:crypto';
import { AwsError } from '../../../gateway/service';
import type { Certificate } from '../registry';
import { ACCOUNT, arnOf, flag, found, page, seconds, text } from './operation';
import type { Operation } from './operation';

/** SHA-256 of a certificate's DER form, hex: AWS IoT's certificate id. */
export function certificateIdOf(certificate: X509Certificate): string {
  return certificate.fingerprint256.replaceAll(':', '').toLowerCase();
}

const createKeysAndCertificate: Operation = async (input, { registry, authority, clock }) => {
  const now = clock.now();
  const { certificatePem, publicKeyPem, privateKeyPem } = authority.issueDeviceCertificate(now);
  const certificateId = certificateIdOf(new X509Certificate(certificatePem));
  const status = flag(input, 'setAsActive') ? 'ACTIVE' : 'INACTIVE';
  await registry.certificates.set(certificateId, {
    certificateId,
    certificatePem,
    status,
    creationDate: now,
    lastModifiedDate: now,
  });
  return {
    certificateArn: arnOf('cert', certificateId),
    certificateId,
    certificatePem,
    keyPair: { PublicKey: publicKeyPem, PrivateKey: privateKeyPem },
  };
};

const describeCertificate: Operation = async (input, { registry }) => {
  const certificateId = text(input, 'certificateId');
  const certificate = found(registry.certificates.get(certificateId), 'Certificate', certificateId);
  const { validFrom, validTo } = new X509Certificate(certificate.certificatePem);
  return {
    certificateDescription: {
      ...summarize(certificate),
      certificatePem: certificate.certificatePem,
      ownedBy: ACCOUNT,
      lastModifiedDate: seconds(certificate.lastModifiedDate),
      customerVersion: 1,
      certificateMode: 'DEFAULT',
      validity: { notBefore: seconds(Date.parse(validFrom)), notAfter: seconds(Date.parse(validTo)) },
    },
  };
};

const updateCertificate: Operation = async (input, { registry, clock }) => {
  const certificateId = text(input, 'certificateId');
  const certificate = found(registry.certificates.get(certificateId), 'Certificate', certificateId);
  const status = text(input, 'newStatus');
  if (status !== 'ACTIVE' && status !== 'INACTIVE' && status !== 'REVOKED') {
    throw new AwsError(
      'InvalidRequestException',
      `newStatus ${JSON.stringify(status)} must be ACTIVE, INACTIVE or REVOKED`,
      400,
    );
  }
  await registry.certificates.set(certificateId, { ...certificate, status, lastModifiedDate: clock.now() });
  return {};
};

const listCertificates: Operation = async (input, { registry }) => {
  const { items, next } = page(registry.certificates.list(), input['marker'], input['pageSize']);
  return { certificates: items.map(summarize), nextMarker: next };
};

const deleteCertificate: Operation = async (input, { registry }) => {
  const certificateId = text(input, 'certificateId');
  const certificate = found(registry.certificates.get(certificateId), 'Certificate', certificateId);
  const arn = arnOf('cert', certificateId);
  if (certificate.status === 'ACTIVE')
    throw new AwsError('CertificateStateException', 'The certificate is ACTIVE: make it INACTIVE first', 406);
  const policies = registry.policies.list().filter(({ targets }) => targets.includes(arn));
  const thing = registry.things.list().find(({ principals }) => principals.some(({ principal }) => principal === arn));
  if (thing !== undefined) throw conflict(`thing ${thing.thingName} is attached to it`);
  if (policies.length > 0 && !flag(input, 'forceDelete'))
    throw conflict(`policy ${policies[0]!.policyName} is attached to it`);
  await Promise.all(
    policies.map((policy) =>
      registry.policies.set(policy.policyName, {
        ...policy,
        targets: policy.targets.filter((target) => target !== arn),
      }),
    ),
  );
  await registry.certificates.delete(certificateId);
  return {};
};

function conflict(detail: string): AwsError {
  return new AwsError('DeleteConflictException', `The certificate cannot be deleted: ${detail}`, 409);
}

function summarize({ certificateId, status, creationDate }: Certificate): Record<string, unknown> {
  return { certificateArn: arnOf('cert', certificateId), certificateId, status, creationDate: seconds(creationDate) };
}

export const certificateOperations: Readonly<Record<string, Operation>> = {
  CreateKeysAndCertificate: createKeysAndCertificate,
  DescribeCertificate: describeCertificate,
  UpdateCertificate: updateCertificate,
  ListCertificates: listCertificates,
  DeleteCertificate: deleteCertificate,
};
